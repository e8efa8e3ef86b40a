"""Opening the database, and the ways in which that fails."""

import asyncio
import socket

import pytest

from app.core.errors import (
    ConfigurationInvalid,
    DatabaseRefused,
    DatabaseUnreachable,
    MigrationMissing,
    StorageRefused,
    StoreUnavailable,
)
from app.core.ids import ObjectIds
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.migration import check_schema
from app.store.tables import SCHEMA_VERSION
from tests.doubles.tcp_proxy import FaultProxy
from tests.integration.store.conftest import Site

PASSWORD = "s3cret-pass"


async def test_the_cluster_key_is_the_same_for_everybody(database_url: str) -> None:
    target = ConnectTarget.from_url(database_url)
    first, second = await Database.open(target), await Database.open(target)
    made = first.object_ids.from_name("notes", "room")
    assert made == second.object_ids.from_name("notes", "room")
    assert made == ObjectIds(first.cluster.id_key).from_name("notes", "room")
    assert len(first.cluster.id_key) == 32
    assert repr(first.cluster.id_key)[2:-1] not in repr(first.cluster)
    await first.close()
    await second.close()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_every_spelling_of_the_url_works(database_url: str, scheme: str) -> None:
    await check_schema(f"{scheme}://{database_url.partition('://')[2]}")


async def test_a_database_without_our_tables_asks_for_a_migration(empty_url: str) -> None:
    with pytest.raises(MigrationMissing) as caught:
        await Database.open(ConnectTarget.from_url(empty_url))
    assert "stateroom migrate" in caught.value.remedy


async def test_an_older_schema_asks_for_a_migration(database: Database, database_url: str) -> None:
    await database.fetch("update cluster set schema_version = 0")
    try:
        with pytest.raises(MigrationMissing):
            await Database.open(ConnectTarget.from_url(database_url))
    finally:
        await database.fetch("update cluster set schema_version = $1", SCHEMA_VERSION)


async def test_a_newer_schema_is_accepted(database: Database, database_url: str) -> None:
    """The release before must go on working on what its successor has added."""
    await database.fetch("update cluster set schema_version = $1", SCHEMA_VERSION + 1)
    try:
        await check_schema(database_url)
    finally:
        await database.fetch("update cluster set schema_version = $1", SCHEMA_VERSION)


async def test_nobody_there_is_unreachable_and_the_password_is_not_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/rooms"
    with pytest.raises(DatabaseUnreachable) as caught:
        await Database.open(ConnectTarget.from_url(url))
    told = f"{caught.value} {caught.value.remedy} {caught.value!r} {ConnectTarget.from_url(url)!r}"
    assert f"127.0.0.1:{port}/rooms" in told
    assert PASSWORD not in told
    assert caught.value.__cause__ is not None


async def test_an_unknown_host_is_unreachable() -> None:
    with pytest.raises(DatabaseUnreachable):
        await Database.open(ConnectTarget.from_url("postgresql://me@no-such-host.invalid/rooms"))


async def test_somebody_who_never_answers_is_unreachable_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/rooms"
        with pytest.raises(DatabaseUnreachable):
            await Database.open(ConnectTarget.from_url(url, connect_seconds=0.2))


@pytest.mark.parametrize("wrong", ["database", "user"])
async def test_a_wrong_database_or_user_is_refused(database_url: str, wrong: str) -> None:
    url = (
        database_url.replace("/stateroom_tests?", "/no_such_database?")
        if wrong == "database"
        else database_url.replace("//stateroom@", f"//nobody-known:{PASSWORD}@")
    )
    with pytest.raises(DatabaseRefused) as caught:
        await Database.open(ConnectTarget.from_url(url))
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "no url", f"postgresql://me:{PASSWORD}[@host:port/x", ""]
)
async def test_what_is_no_url_is_a_wrong_setting_and_is_not_quoted(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        await Database.open(ConnectTarget.from_url(url))
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in str(caught.value.__cause__)


async def test_a_database_that_comes_up_late_is_waited_for(database_url: str) -> None:
    async with FaultProxy(database_url) as proxy:
        proxy.refusing = True
        opening = asyncio.get_running_loop().create_task(
            Database.open(ConnectTarget.from_url(proxy.url), patience_seconds=20)
        )
        while proxy.opened < 2:
            await check_schema(database_url)
        proxy.refusing = False
        await (await opening).close()


async def test_a_slow_statement_is_given_up_and_the_next_one_works(database_url: str) -> None:
    target = ConnectTarget.from_url(database_url, statement_seconds=0.2)
    database = await Database.open(target, connections=1)
    with pytest.raises(StoreUnavailable):
        await database.fetch("select pg_sleep(5)")
    assert (await database.fetch("select 1 as one"))[0]["one"] == 1
    await database.close()


async def test_waiting_for_a_connection_has_a_deadline(database_url: str) -> None:
    target = ConnectTarget.from_url(database_url, statement_seconds=0.3)
    database = await Database.open(target, connections=1)
    results = await asyncio.gather(
        *(database.fetch("select pg_sleep(0.2)") for _ in range(4)), return_exceptions=True
    )
    assert results[0] != []
    assert any(isinstance(result, StoreUnavailable) for result in results)
    await database.close()


async def test_a_cancelled_statement_leaves_no_connection_out_of_step(site: Site) -> None:
    for _ in range(3):
        task = asyncio.get_running_loop().create_task(site.database.fetch("select pg_sleep(5)"))
        await site.database.fetch("select 1")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for number in range(10):
        (row,) = await site.database.fetch("select $1::int as n", number)
        assert row["n"] == number


async def test_the_rows_that_were_refused_are_not_quoted(site: Site) -> None:
    with pytest.raises(StorageRefused) as caught:
        await site.database.fetch("select $1::text::int", "private words")
    assert "private" not in f"{caught.value}{caught.value.__cause__}{caught.value.__cause__!r}"
    with pytest.raises(StorageRefused) as caught:
        await site.database.fetch("select $1::bytea", "private words")
    assert "private" not in f"{caught.value}{caught.value.__cause__}{caught.value.__cause__!r}"


async def test_after_close_every_call_is_unavailable(database_url: str) -> None:
    database = await Database.open(ConnectTarget.from_url(database_url))
    await database.close()
    with pytest.raises(StoreUnavailable):
        await database.fetch("select 1")
