"""What `stateroom doctor` wants to know of a database: facts, looked up and not judged.

Whether a pooler stands in between, and in which mode, no setting tells. A pooler answers for
itself when a connection is opened, so the process id it names is not the one that the server
names; and in transaction mode a connection does not keep its server process while another one
has a transaction open.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

import asyncpg

from ..core.clock import Clock, wall_seconds
from .driver import ConnectTarget, DriverConnection, Pooler
from .failures import DRIVER_ERRORS, translated_at_start

_SETTINGS: Final = (
    "server_encoding",
    "max_connections",
    "superuser_reserved_connections",
    "autovacuum",
)
_ASK: Final = "select name, setting from pg_settings where name = any($1::text[])"
_SERVER: Final = """
select current_setting('server_version_num')::int / 10000 as major,
       current_setting('server_version') as version,
       pg_is_in_recovery() as standby,
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as encrypted,
       inet_server_addr() is null or host(inet_server_addr()) in ('127.0.0.1', '::1') as near
"""
_TIME: Final = "select extract(epoch from clock_timestamp())::float8 as now"
_PROCESS: Final = "select pg_backend_pid() as pid"
_LOOKS: Final = 4


class PoolMode(Enum):
    """What was found between us and Postgres."""

    NONE = "none"
    SESSION = "session"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        major: Of the server's version.
        version: The whole of it.
        standby: Whether it takes no writes.
        encrypted: Whether the server's connection is; with a pooler, that to the pooler's.
        near: Whether the server is on this machine.
        pool_mode: What stands in between.
        clock_ahead_seconds: How much the database's clock is ahead of this machine's.
        clock_unsure_seconds: By how much that may be wrong.
        round_trip_seconds: The shortest of a few.
        settings: Of the server, by name.
    """

    major: int
    version: str
    standby: bool
    encrypted: bool
    near: bool
    pool_mode: PoolMode
    clock_ahead_seconds: float
    clock_unsure_seconds: float
    round_trip_seconds: float
    settings: Mapping[str, str]


async def diagnose(
    url: str, clock: Clock, *, wall: Callable[[], float] = wall_seconds
) -> Diagnosis:
    """Look at the database, whatever stands before it.

    Args:
        url: Of the database.
        clock: For lengths of time.
        wall: This machine's own clock.

    Raises:
        DatabaseUnreachable, DatabaseRefused, ConfigurationInvalid: See `Database.open`.
    """
    target = ConnectTarget.from_url(url, pooler=Pooler.TRANSACTION)
    try:
        raw = await target.connect_raw()
        connection = DriverConnection(raw, target)
        try:
            (server,) = await connection.fetch(_SERVER)
            settings = await connection.fetch(_ASK, list(_SETTINGS))
            ahead, trip = await _clock_of(connection, clock, wall)
            mode = await _pool_mode_of(raw, connection, target)
        finally:
            await connection.close()
    except DRIVER_ERRORS as error:
        raise translated_at_start(error, address=target.address) from error
    return Diagnosis(
        major=server["major"],
        version=server["version"],
        standby=server["standby"],
        encrypted=server["encrypted"],
        near=server["near"],
        pool_mode=mode,
        clock_ahead_seconds=ahead,
        clock_unsure_seconds=trip / 2,
        round_trip_seconds=trip,
        settings={row["name"]: row["setting"] for row in settings},
    )


async def _clock_of(
    connection: DriverConnection, clock: Clock, wall: Callable[[], float]
) -> tuple[float, float]:
    """How far ahead the database's clock is, by the quickest of a few looks, and its time."""
    best = (0.0, float("inf"))
    for _ in range(_LOOKS):
        now, started = wall(), clock.monotonic()
        (row,) = await connection.fetch(_TIME)
        trip = clock.monotonic() - started
        if trip < best[1]:
            best = (row["now"] - (now + trip / 2), trip)
    return best


async def _pool_mode_of(
    raw: "asyncpg.Connection[asyncpg.Record]",
    connection: DriverConnection,
    target: ConnectTarget,
) -> PoolMode:
    """See the module."""
    seen = {await _process_of(connection)}
    if raw.get_server_pid() in seen:
        return PoolMode.NONE
    other_raw = await target.connect_raw()
    other = DriverConnection(other_raw, target)
    try:
        await other_raw.execute("begin")
        taken = await _process_of(other)
        seen |= {await _process_of(connection) for _ in range(_LOOKS)}
        await other_raw.execute("rollback")
    finally:
        await other.close()
    return PoolMode.TRANSACTION if len(seen) > 1 or taken in seen else PoolMode.SESSION


async def _process_of(connection: DriverConnection) -> int:
    (row,) = await connection.fetch(_PROCESS)
    pid: int = row["pid"]
    return pid
