"""Rooms by the thousand in a database, and their way into another one through real servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from app.core.clock import SystemClock
from app.core.codec import parse_json
from app.core.storage_codec import encode_value
from app.store.backup import PostgresBackupSource
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.migration import migrate
from tests.cluster.server import ServerProcess

TOKEN: Final = "the-token-of-the-backups"
ADMIN: Final = {"STATEROOM_ADMIN_TOKEN": TOKEN}
_PIECE_BYTES: Final = 1 << 16
_NDJSON: Final = {"content-type": "application/x-ndjson"}

# $1 ids, $2 namespace, $3 names, $4 rows, $5 a stored text whose quotation mark is still open: the
# rooms differ by their ids at its end.
_FILL: Final = """
with made as (
    insert into object (object_id, namespace, name, epoch, commit_seq, committed_at)
    select w.id, $2, w.name, nextval('object_epoch'), 1, now()
    from unnest($1::uuid[], $3::text[]) as w (id, name)
    returning object_id
)
insert into object_row (object_id, key, value)
select object_id, convert_to(lpad(n::text, 6, '0'), 'utf8'),
       $5::bytea || convert_to(object_id::text || '"', 'utf8')
from made, generate_series(1, $4::int4) n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """How many rooms of how many rows of about how many bytes."""

    count: int
    rows: int
    row_bytes: int

    @property
    def names(self) -> list[str]:
        return [f"room {number}" for number in range(self.count)]


async def second_database(url: str) -> str:
    """Make another empty database, migrated, on the server of `url`; returns its URL."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("create database second")
    finally:
        await connection.close()
    second = url.replace("/postgres?", "/second?")
    await migrate(second)
    return second


async def fill(url: str, rooms: Rooms, *, namespace: str = "tinybase") -> None:
    """Put rooms into a database, as if they had been committed."""
    value = encode_value("x" * rooms.row_bytes).removesuffix(b'"')
    database = await Database.open(ConnectTarget.from_url(url))
    try:
        ids, names = database.object_ids, rooms.names
        for start in range(0, rooms.count, 500):
            part = names[start : start + 500]
            uuids = [ids.from_name(namespace, name).uuid for name in part]
            await database.fetch(_FILL, uuids, namespace, part, rooms.rows, value)
    finally:
        await database.close()


async def digests(url: str) -> dict[tuple[str, str], str]:
    """The digest of every room by namespace and name, as the database itself makes it."""
    database = await Database.open(ConnectTarget.from_url(url))
    try:
        named = await database.fetch("select object_id, namespace, name from object")
        names = {row["object_id"]: (row["namespace"], row["name"]) for row in named}
        keys = list(names)
        found: dict[tuple[str, str], str] = {}
        source = PostgresBackupSource(database)
        for start in range(0, len(keys), 500):
            standing = await source.standing(keys[start : start + 500])
            found |= {names[key]: each.digest.sha256 for key, each in standing.items()}
        return found
    finally:
        await database.close()


async def until_some_are_written(url: str) -> None:
    """Wait until some object of a database has been committed; half a file is enough for that."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(60):
            while not await connection.fetchval("select count(*) from object where commit_seq > 0"):
                await SystemClock().sleep(0.02)
    finally:
        await connection.close()


class Resident:
    """How much memory a process holds more than at first, at the most."""

    def __init__(self, server: ServerProcess) -> None:
        self._page = Path(f"/proc/{server.pid}/statm")
        self._first = self._bytes()
        self.most_grown = 0

    def look(self) -> None:
        self.most_grown = max(self.most_grown, self._bytes() - self._first)

    def _bytes(self) -> int:
        return int(self._page.read_text("ascii").split()[1]) * 4096


class Door:
    """The admin API of a server, as a client with a file uses it."""

    def __init__(self, server: ServerProcess) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{server.url}/admin/v1",
            headers={"authorization": f"Bearer {TOKEN}"},
            timeout=120,
        )

    async def export(self, file: Path, look: Callable[[], None]) -> int:
        """Write an export of everything; returns its size."""
        size = 0
        with file.open("wb") as out:
            async with self._client.stream("GET", "/export") as answer:
                answer.raise_for_status()
                async for piece in answer.aiter_raw():
                    size += out.write(piece)
                    look()
        return size

    async def take(
        self, file: Path, look: Callable[[int], Awaitable[None]], *, query: str = ""
    ) -> list[dict[str, Any]]:
        """Import a file; `look` is told how much of it is sent. Returns what is told."""

        async def pieces() -> AsyncIterator[bytes]:
            sent = 0
            with file.open("rb") as body:
                while piece := body.read(_PIECE_BYTES):
                    await look(sent)
                    yield piece
                    sent += len(piece)

        answer = await self._client.post(f"/import{query}", content=pieces(), headers=_NDJSON)
        answer.raise_for_status()
        return [parse_json(line) for line in answer.content.splitlines()]

    async def close(self) -> None:
        await self._client.aclose()
