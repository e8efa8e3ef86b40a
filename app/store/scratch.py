"""A database for tests: made on a server for the purpose, with a clock that is set by hand.

What Postgres' `now()` and `clock_timestamp()` say there is a row of a table: functions of the same
names stand before the real ones on the database's search path, and our statements name neither
schema. So leases, claims and alarms run out when a test says so, on the real thing.
"""

from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg

from .database import Cluster, read_cluster
from .driver import ConnectTarget
from .migration import migrate
from .tables import cluster, metadata, worker

_CLOCK: Final = """
create schema test_clock;
create table test_clock.reading (instant timestamptz not null);
insert into test_clock.reading values (now());
create function test_clock.now() returns timestamptz language sql stable
    as 'select instant from test_clock.reading';
create function test_clock.clock_timestamp() returns timestamptz language sql stable
    as 'select instant from test_clock.reading';
alter database {name} set search_path = test_clock, public, pg_catalog;
"""
_SET: Final = "update test_clock.reading set instant = to_timestamp($1 / 1000.0)"
_ROWS: Final = "select key, value from object_row where object_id = $1"
_ALARM: Final = """
select (extract(epoch from due_at) * 1000)::bigint as due_ms
from object_alarm where object_id = $1 and name = $2
"""
_LISTED: Final = """
select o.object_id, o.name from object o where o.namespace = $1 and (
    exists (select from object_row r where r.object_id = o.object_id)
    or exists (select from object_alarm a where a.object_id = o.object_id)
)
"""
_OF_OBJECTS: Final = [
    f'"{table.name}"' for table in metadata.sorted_tables if table not in {cluster, worker}
]


class ScratchDatabase:
    """See the module; made by `make`. All its calls are of one event loop.

    Attributes:
        target: Where it is.
        cluster: Its key.
    """

    def __init__(
        self, server_url: str, name: str, made: Cluster, connection: "asyncpg.Connection[Any]"
    ) -> None:
        self.target = ConnectTarget.from_url(_url_of(server_url, name))
        self.cluster = made
        self._server_url = server_url
        self._name = name
        self._connection = connection

    @classmethod
    async def make(cls, server_url: str) -> Self:
        """Make a migrated database of its own on a server; `drop` takes it away.

        Raises:
            OSError, asyncpg.PostgresError: The server cannot be reached, or does not let us.
        """
        name = f"stateroom_test_{uuid4().hex}"
        await _run(server_url, f"create database {name} template template0")
        url = _url_of(server_url, name)
        await migrate(url)
        await _run(url, _CLOCK.format(name=name))
        made = await read_cluster(ConnectTarget.from_url(url))
        return cls(server_url, name, made, await asyncpg.connect(url))

    async def set_clock(self, now_ms: int) -> None:
        """Let it be `now_ms` milliseconds since 1970."""
        await self._connection.execute(_SET, now_ms)

    async def rows(self, object_id: UUID) -> dict[bytes, bytes]:
        """The committed rows of an object."""
        return {row["key"]: row["value"] for row in await self._connection.fetch(_ROWS, object_id)}

    async def alarm_ms(self, object_id: UUID, name: str) -> int | None:
        """When an alarm of an object is due."""
        due_ms: int | None = await self._connection.fetchval(_ALARM, object_id, name)
        return due_ms

    async def listed(self, namespace: str) -> list[tuple[UUID, str | None]]:
        """The objects of a namespace that have stored something."""
        rows = await self._connection.fetch(_LISTED, namespace)
        return [(row["object_id"], row["name"]) for row in rows]

    async def empty(self, *, workers: bool) -> None:
        """Delete every object, and every worker as well if that is wanted."""
        tables = [*_OF_OBJECTS, worker.name] if workers else _OF_OBJECTS
        await self._connection.execute(f"truncate {', '.join(tables)}")

    async def drop(self) -> None:
        """Take the database away."""
        await self._connection.close()
        await _run(self._server_url, f"drop database {self._name} with (force)")


def _url_of(server_url: str, name: str) -> str:
    parts = urlsplit(server_url)
    # Not `_replace`: without a host the two slashes would be lost.
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))


async def _run(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script)
    finally:
        await connection.close()
