"""Behind PgBouncer in transaction mode: many connections at once, and backends that vanish."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from app.core.errors import DatabaseRefused, MigrationMissing
from app.core.values import CommitResult
from app.store.catalogue import Catalogue
from app.store.database import Database
from app.store.driver import ConnectTarget, Pooler
from app.store.migration import check_schema, migrate
from tests.conftest import MIGRATED
from tests.doubles.batch_source import commit
from tests.doubles.pgbouncer import PgBouncer
from tests.integration.store.conftest import Site

WORKERS = 4
ROUNDS = 25


@pytest_asyncio.fixture
async def pooled(database_url: str, pgbouncer: PgBouncer) -> AsyncIterator[Site]:
    """A site whose every connection goes through the pooler, but for `session`."""
    target = ConnectTarget.from_url(pgbouncer.database_url(MIGRATED), pooler=Pooler.TRANSACTION)
    async with AsyncExitStack() as stack:
        database = await Database.open(target, patience_seconds=5)
        stack.push_async_callback(database.close)
        yield Site(database_url, database, stack)


async def one_hand(site: Site, name: str, rounds: int) -> None:
    """A worker that does a bit of everything, over connections of its own."""
    worker = await site.worker()
    for number in range(rounds):
        writes = await worker.room(name)
        page = await worker.store.load(writes.claim, rows=10, size_bytes=1000)
        assert dict(page.rows) == ({b"n": b"%d" % (number - 1)} if number else {})
        outcome = await commit(worker.committer, writes, {b"n": b"%d" % number, b"x": None})
        assert outcome.result is CommitResult.COMMITTED
        assert await site.leases.renew(worker.worker_id, lease_seconds=60) is not None
        await worker.store.release(writes.claim)


async def test_many_connections_at_once_do_not_meet_one_anothers_statements(pooled: Site) -> None:
    await asyncio.gather(*(one_hand(pooled, f"room-{n}", ROUNDS) for n in range(WORKERS)))


async def test_backends_that_are_terminated_are_not_noticed(pooled: Site) -> None:
    killer = await pooled.session()
    hands = asyncio.gather(*(one_hand(pooled, f"room-{n}", ROUNDS) for n in range(WORKERS)))
    for _ in range(3):
        await killer.fetch("select pg_sleep(0.05)")
        await terminate_others(killer)
    await asyncio.gather(hands, return_exceptions=True)
    # A statement of the pool that was cut while it ran is StoreUnavailable, rightly; what
    # counts is that every connection finds its way back.
    await one_hand(pooled, "afterwards", 5)


async def terminate_others(session: "asyncpg.Connection[asyncpg.Record]") -> None:
    await session.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() "
        "and backend_type = 'client backend'"
    )


async def test_a_new_column_between_two_statements_is_not_noticed(pooled: Site) -> None:
    worker = await pooled.worker()
    writes = await worker.room("room")
    assert (await commit(worker.committer, writes, {b"a": b"1"})).commit_seq == 1
    session = await pooled.session()
    await session.execute("alter table object add column extra int default 7")
    try:
        assert (await commit(worker.committer, writes, {b"a": b"2"})).commit_seq == 2
        assert (await worker.room("room")).claim.commit_seq == 2
    finally:
        await session.execute("alter table object drop column extra")
    assert (await worker.room("room")).claim.commit_seq == 2


async def test_the_engine_and_the_catalogue_work_through_it(pooled: Site) -> None:
    worker = await pooled.worker()
    writes = await worker.room("room")
    catalogue = Catalogue(pooled.database)
    for _ in range(5):
        assert await catalogue.counts() == {"notes": 1}
        found = await catalogue.find(writes.claim.object_id)
        assert found is not None
        assert found.epoch == writes.claim.epoch
        async with pooled.database.engine.connect() as connection:
            assert (await connection.execute(text("select 1"))).scalar() == 1


async def test_migrations_run_through_it(empty_url: str, pgbouncer: PgBouncer) -> None:
    url = pgbouncer.database_url(urlsplit(empty_url).path[1:])
    with pytest.raises(MigrationMissing):
        await check_schema(url)
    await migrate(url)
    await migrate(url)
    await check_schema(url)


async def test_a_pooler_that_nobody_told_us_of_is_named_in_the_remedy(
    database_url: str, pgbouncer: PgBouncer
) -> None:
    assert database_url
    with pytest.raises(DatabaseRefused) as caught:
        await Database.open(ConnectTarget.from_url(pgbouncer.database_url(MIGRATED)))
    assert "STATEROOM_DATABASE_POOLER" in caught.value.remedy
