"""Our own protocol on the driver's socket, against real Postgres."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - two of them, told apart

from app.store.driver import ConnectTarget
from app.store.failures import Fault, classify
from app.store.wire import Answer
from app.store.wire_connection import WireConnection, open_for_commits
from tests.doubles.tcp_proxy import FaultProxy

SLEEP = "select length(pg_sleep($1::int8)::text)::int8 as x"
SAME = "select ($1::{0}[] is not distinct from array[{1}]::{0}[])::int::int8 as same"
SAME_ALONE = "select ($1::{0} is not distinct from (array[{1}]::{0}[])[1])::int::int8 as same"
SIZE = "select coalesce(cardinality($1::{0}[]), -1)::int8 as size"
VALUES: dict[str, list[Any]] = {
    "uuid": [UUID(int=1), None, DriverUUID(bytes(16))],
    "int8": [1, -1, None, (1 << 63) - 1, -(1 << 63)],
    "int4": [0, 7, None, -(1 << 31)],
    "text": ["", "zwölf", None, "a'b"],
}


async def opened(url: str, *, statement_seconds: float = 10.0) -> WireConnection:
    target = ConnectTarget.from_url(url, statement_seconds=statement_seconds)
    connection = await open_for_commits(target, session={}, keep_waiting=lambda: True)
    assert isinstance(connection, WireConnection)
    return connection


@pytest_asyncio.fixture
async def wire(database_url: str) -> AsyncIterator[WireConnection]:
    connection = await opened(database_url)
    yield connection
    await connection.close()
    assert connection.closed


@pytest.mark.parametrize("kind", VALUES)
async def test_values_arrive_as_the_server_reads_them(wire: WireConnection, kind: str) -> None:
    values = VALUES[kind]
    texts = ", ".join(
        "null" if value is None else "'" + str(value).replace("'", "''") + "'" for value in values
    )
    assert await wire.fetch(SAME.format(kind, texts), values) == [{"same": 1}]
    assert await wire.fetch(SAME.format(kind, texts), values[::-1]) == [{"same": 0}]
    assert await wire.fetch(SIZE.format(kind), []) == [{"size": 0}]
    assert await wire.fetch(SAME_ALONE.format(kind, texts), values[0]) == [{"same": 1}]


async def test_bytes_of_any_size_arrive(wire: WireConnection) -> None:
    values = [b"", b"\0\xff", None, bytes(3_000_000)]
    sql = (
        "select sum(octet_length(b))::int8 as size, count(*)::int8 as n from unnest($1::bytea[]) b"
    )
    assert await wire.fetch(sql, values) == [{"size": 3_000_002, "n": 4}]


async def test_errors_are_those_of_the_driver_and_the_connection_stays(
    wire: WireConnection,
) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError) as caught:
        await wire.fetch("select 1 / $1::int8 as x", 0)
    assert caught.value.sqlstate == "22012"
    with pytest.raises(asyncpg.UndefinedTableError):
        await wire.fetch("select from nowhere")
    with pytest.raises(ValueError, match="fit"):
        await wire.fetch("select $1::int8 as x", "text")
    assert await wire.fetch("select $1::int8 as x", 1) == [{"x": 1}]


async def test_a_server_that_goes_away_leaves_the_outcome_unknown(
    wire: WireConnection, database_url: str
) -> None:
    (row,) = await wire.fetch("select pg_backend_pid()::int8 as pid")
    waiting = asyncio.get_running_loop().create_task(wire.fetch(SLEEP, 60))
    other = await asyncpg.connect(database_url)
    asleep = "select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"
    while not await other.fetch(asleep, row["pid"]):
        assert not waiting.done()
    await other.execute("select pg_terminate_backend($1)", row["pid"])
    await other.close()
    with pytest.raises(asyncpg.ConnectionDoesNotExistError) as caught:
        await waiting
    assert classify(caught.value) is Fault.LINK
    assert wire.closed
    with pytest.raises(asyncpg.InterfaceError) as after:
        await wire.fetch("select 1")
    assert classify(after.value) is Fault.LINK


async def test_silence_ends_at_the_deadline(database_url: str) -> None:
    connection = await opened(database_url, statement_seconds=0.3)
    with pytest.raises(TimeoutError):
        await connection.fetch(SLEEP, 60)
    assert connection.closed
    await connection.close()


async def test_who_is_not_patient_any_more_waits_no_longer(database_url: str) -> None:
    target = ConnectTarget.from_url(database_url)
    patience = iter([True, False])
    connection = await open_for_commits(
        target, session={}, keep_waiting=lambda: next(patience, False)
    )
    with pytest.raises(TimeoutError):
        await connection.fetch(SLEEP, 60)
    await connection.close()


async def test_cancelling_drops_the_connection(wire: WireConnection) -> None:
    waiting = asyncio.get_running_loop().create_task(wire.fetch(SLEEP, 60))
    await asyncio.wait([waiting], timeout=0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert wire.closed


async def test_a_statement_is_submitted_once_it_is_prepared_and_nothing_else_is_under_way(
    wire: WireConnection,
) -> None:
    sql = "select $1::int8 as x"
    ended: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(answer: Answer, error: Exception | None) -> None:
        assert error is None
        ended.set_result(answer)

    assert not wire.submit(sql, (1,), done), "it is not prepared"
    await wire.fetch(sql, 0)
    assert wire.submit(sql, (1,), done)
    assert not wire.submit(sql, (2,), done), "one is under way"
    with pytest.raises(asyncpg.InterfaceError):
        await wire.fetch(sql, 3)
    assert wire.rows(sql, await ended) == [{"x": 1}]
    assert await wire.fetch(sql, 4) == [{"x": 4}]


async def test_who_abandons_a_statement_is_not_told_of_it(wire: WireConnection) -> None:
    told: list[Exception | None] = []
    await wire.fetch(SLEEP, 0)
    assert wire.submit(SLEEP, (60,), lambda _, error: told.append(error))
    wire.abandon()
    await wire.close()
    assert told == []


async def test_a_type_that_we_have_no_format_for_is_refused(wire: WireConnection) -> None:
    with pytest.raises(asyncpg.InterfaceError, match="no format"):
        await wire.fetch("select true as x")
    assert await wire.fetch(SLEEP, 0) == [{"x": 0}]


async def test_a_cut_line_is_an_unknown_outcome(database_url: str) -> None:
    async with FaultProxy(database_url) as proxy:
        connection = await opened(proxy.url)
        waiting = asyncio.get_running_loop().create_task(connection.fetch(SLEEP, 60))
        await asyncio.wait([waiting], timeout=0.05)
        proxy.cut()
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await waiting
        await connection.close()
