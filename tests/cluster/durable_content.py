"""What is really kept: read from Postgres with no server in between, and by a fresh client.

Both readers are the tests' own. The first one knows how a TinyBase room lies in its rows.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import asyncpg

from app.core.clock import SystemClock
from tests.cluster.checker import Change, Content, History
from tests.cluster.clients import DEADLINE_SECONDS, GONE, connection
from tests.cluster.frames import (
    GET_TABLES,
    GET_VALUES,
    SERVER,
    changes_in,
    content_of,
    frame,
    parse,
)
from tests.interop.wire_json import Json, loads

_ROWS = """
select o.name, r.key, r.value from object o join object_row r using (object_id)
where o.namespace = 'tinybase' and o.name = any($1)
"""
_RAW = b"\x00"
_RETRY_SECONDS = 0.05


async def in_postgres(database_url: str, rooms: Sequence[str]) -> Content:
    """Read the rows of these rooms."""
    session = await _session(database_url)
    try:
        rows = await session.fetch(_ROWS, list(rooms))
    finally:
        await session.close()
    return content_of(
        change for row in rows for change in _stored(row["name"], row["key"], row["value"])
    )


async def for_a_fresh_client(url: str, rooms: Sequence[str]) -> Content:
    """Join each room alone with nothing in hand, and take what the server has."""
    found = await asyncio.gather(*(_pull(url, room) for room in rooms))
    return content_of(change for changes in found for change in changes)


async def check(
    history: History, *, database_url: str, url: str | None, rooms: Iterable[str]
) -> None:
    """Nothing acknowledged is missing, by either reader; without `url` by the first alone."""
    listed = list(rooms)
    found = {"Postgres": await in_postgres(database_url, listed)}
    if url is not None:
        found["a fresh client"] = await for_a_fresh_client(url, listed)
    for reader, content in found.items():
        losses = history.losses(content, reader=reader, rooms=listed)
        first = "\n".join(str(loss) for loss in losses[:10])
        assert not losses, f"{len(losses)} losses, {reader} being the reader:\n{first}"


async def _pull(url: str, room: str) -> list[Change]:
    async with asyncio.timeout(DEADLINE_SECONDS), connection(f"{url}/{room}") as socket:
        await socket.send(frame(SERVER, "fresh.t", GET_TABLES, {}))
        await socket.send(frame(SERVER, "fresh.v", GET_VALUES, {}))
        answers: dict[str | None, Json] = {}
        async for text in socket:
            assert isinstance(text, str)
            told = parse(text)
            if told.request in ("fresh.t", "fresh.v"):
                answers[told.request] = told.body
            if len(answers) == 2:
                break
    if len(answers) < 2:
        raise ConnectionError("the server said goodbye before it answered")
    return list(changes_in(room, answers["fresh.t"][0], answers["fresh.v"]))


async def _session(database_url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect, with patience for a Postgres that is just being started."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                return await asyncpg.connect(database_url)
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                await SystemClock().sleep(_RETRY_SECONDS)


async def until_served(url: str, room: str) -> None:
    """Wait until a room can be joined, however often the server turns us away before."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                await _pull(url, room)
            except GONE:
                await SystemClock().sleep(_RETRY_SECONDS)
            else:
                return


def _stored(room: str, key: bytes, value: bytes) -> Iterator[Change]:
    """The leaves of one row of `object_row`."""
    assert value.startswith(_RAW), value[:20]
    kind, ids, payload = key[:2], loads(b"[" + key[2:] + b"]"), loads(value[1:])
    if kind == b"~r":
        table, row = ids
        yield from changes_in(room, [{table: [{row: payload}]}], [{}])
    elif kind == b"~v":
        yield from changes_in(room, [{}], [{ids[0]: payload}])
