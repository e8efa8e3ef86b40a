"""A primary and its synchronous standby, seen by the store: whom it speaks to, whom it believes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from app.core.clock import SystemClock
from app.core.errors import DatabaseUnreachable
from app.core.values import CommitResult
from app.store.catalogue import Catalogue
from app.store.database import Database
from app.store.driver import ConnectTarget, DriverConnection
from app.store.migration import check_schema, migrate
from app.store.pool import ConnectionPool
from tests.doubles.batch_source import commit
from tests.doubles.replicated_postgres import ReplicatedPostgres, replicated
from tests.integration.store.conftest import Site

WHERE = "select current_setting('port')::int as port"


@pytest_asyncio.fixture
async def pair(
    open_folder: Path, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> AsyncIterator[ReplicatedPostgres]:
    folder = open_folder / f"pair-{abs(hash(request.node.name))}"
    folder.mkdir(mode=0o711)
    async with replicated(folder, bin_dir=pytestconfig.getoption("--postgres-bin")) as running:
        yield running


@pytest_asyncio.fixture
async def pair_site(pair: ReplicatedPostgres) -> AsyncIterator[Site]:
    """A site that knows both servers."""
    async with AsyncExitStack() as stack:
        database = await Database.open(ConnectTarget.from_url(pair.url))
        stack.push_async_callback(database.close)
        yield Site(pair.url, database, stack)


async def port_of(database: Database) -> int:
    (row,) = await database.fetch(WHERE)
    return int(row["port"])


async def test_every_door_leads_to_the_primary_whichever_host_stands_first(
    pair: ReplicatedPostgres,
) -> None:
    for url in (pair.url, pair.tcp_url):
        await migrate(url)
        await check_schema(url)
        database = await Database.open(ConnectTarget.from_url(url))
        try:
            assert await port_of(database) == pair.primary.port
            assert await Catalogue(database).counts() == {}
        finally:
            await database.close()


async def test_a_url_of_standbys_alone_is_refused_at_the_start_with_the_reason(
    pair: ReplicatedPostgres,
) -> None:
    for url in (pair.standby.url, f"{pair.standby.url}&target_session_attrs=any"):
        with pytest.raises(DatabaseUnreachable, match="takes no writes"):
            await Database.open(ConnectTarget.from_url(url))


async def test_commits_and_reads_go_on_at_the_standby_and_nothing_acknowledged_is_missing(
    pair: ReplicatedPostgres, pair_site: Site
) -> None:
    worker = await pair_site.worker()
    writes = await worker.room("room")
    outcome = await commit(worker.committer, writes, {b"a": b"1"})
    pair.primary.kill()
    worker.committer.enqueue(writes.put({b"a": b"2", b"b": b"2"}))
    await writes.taken_once()
    await pair.promote()
    outcome = await writes.answer(1)
    assert outcome.result is CommitResult.COMMITTED
    assert await port_of(pair_site.database) == pair.standby.port
    assert await pair_site.rows(writes) == {b"a": b"2", b"b": b"2"}
    assert await pair_site.commit_seq(writes) == outcome.commit_seq
    assert await pair_site.leases.renew(worker.worker_id, lease_seconds=60) is not None


async def test_connections_to_a_primary_that_was_overtaken_are_not_used_again(
    pair: ReplicatedPostgres, pair_site: Site
) -> None:
    """Both live and take writes for a while: what is read must be what was committed last."""
    target = pair_site.database.target
    kept = ConnectionPool(target, size=1)
    assert (await kept.fetch(WHERE))[0]["port"] == pair.primary.port
    await pair.promote()
    target.hosts.doubt()
    other = await DriverConnection.open(target)
    await other.close()
    assert (await kept.fetch(WHERE))[0]["port"] == pair.standby.port
    assert await port_of(pair_site.database) == pair.standby.port
    await kept.close()


async def test_a_connection_that_says_it_takes_no_writes_any_more_is_replaced(
    pair: ReplicatedPostgres, pair_site: Site
) -> None:
    worker = await pair_site.worker()
    writes = await worker.room("room")
    await pair.primary.run("alter system set default_transaction_read_only = on")
    await pair.primary.run("select pg_reload_conf()")
    await pair.primary.until("show default_transaction_read_only", "on")
    worker.committer.enqueue(writes.put({b"a": b"1"}))
    await writes.taken_once()
    await pair.promote()
    assert (await writes.answer(0)).result is CommitResult.COMMITTED
    assert await pair_site.leases.renew(worker.worker_id, lease_seconds=60) is not None
    assert await port_of(pair_site.database) == pair.standby.port


async def test_a_commit_whose_wait_for_the_standby_is_cancelled_does_not_count_until_it_is_there(
    pair: ReplicatedPostgres, pair_site: Site
) -> None:
    """Postgres answers it with success and a warning; it is on the primary alone."""
    worker = await pair_site.worker()
    writes = await worker.room("room")
    await commit(worker.committer, writes, {b"a": b"1"})
    pair.standby.pause()
    worker.committer.enqueue(writes.put({b"a": b"2"}))
    cancelled = 0
    async with asyncio.timeout(30):
        while cancelled < 3:
            cancelled += await pair.primary.run(_CANCEL)
            await SystemClock().sleep(0.01)
    assert len(writes.outcomes) == 1
    assert (await pair.primary.run("select max(commit_seq) from object")) > 1, "visible, but alone"
    pair.standby.go_on()
    outcome = await writes.answer(1)
    assert outcome.result is CommitResult.COMMITTED
    pair.primary.kill()
    await pair.promote()
    assert await pair_site.rows(writes) == {b"a": b"2"}
    assert await pair_site.commit_seq(writes) == outcome.commit_seq


_CANCEL = """
select count(pg_cancel_backend(pid)) from pg_stat_activity
where application_name = 'stateroom' and wait_event = 'SyncRep'
"""


async def test_a_primary_that_hangs_is_not_waited_for_when_a_standby_was_promoted(
    pair: ReplicatedPostgres,
) -> None:
    target = ConnectTarget.from_url(pair.url)
    await (await DriverConnection.open(target)).close()
    pair.primary.pause()
    await pair.promote()
    raw = await target.connect_raw()
    try:
        assert await raw.fetchval(WHERE) == pair.standby.port
    finally:
        await raw.close()
    with pytest.raises((TimeoutError, OSError, asyncpg.PostgresError)):
        await ConnectTarget.from_url(pair.primary.url, connect_seconds=0.2).connect_raw()
