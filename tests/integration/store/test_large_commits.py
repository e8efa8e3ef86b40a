"""A commit of very many rows: it may take its time, and stands in nobody's way."""

import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from app.core.values import CommitResult
from app.store.commit_history import CommitCalls
from app.store.commit_statement import Flight
from app.store.wire import Statement
from tests.doubles.batch_source import commit
from tests.integration.store.conftest import Site

MANY: dict[bytes, bytes | None] = {b"%06d" % number: b"value" for number in range(9_000)}
STATEMENT_SECONDS = 0.4
WAITING = """
select from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock' and query like '%object_row%'
"""


async def test_it_may_take_longer_than_other_statements(site: Site) -> None:
    worker = await site.worker(site.url, statement_seconds=STATEMENT_SECONDS)
    large = await worker.room("large")
    session = await site.session()
    transaction = session.transaction()
    await transaction.start()
    # It stops at one of its inserts, in the server, as if it took long.
    await session.execute(
        "insert into object_row values ($1, $2, '')", large.claim.object_id.uuid, b"000007"
    )
    worker.committer.enqueue(large.put(MANY))
    watcher = await site.session()
    while not await watcher.fetch(WAITING):
        pass
    await watcher.fetch("select pg_sleep($1)", 3 * STATEMENT_SECONDS)
    await transaction.rollback()
    outcome = await large.answer(0)
    # One that was dropped and sent again is settled by an empty commit on top.
    assert (outcome.result, outcome.commit_seq) == (CommitResult.COMMITTED, 1)
    assert await site.rows(large) == MANY


async def test_it_is_made_and_put_into_bytes_beside_the_event_loop(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await site.worker()
    large, small = await worker.room("large"), await worker.room("small")
    threads: dict[str, list[int]] = {"made": [], "put into bytes": []}
    made, put = CommitCalls.call, Statement.call

    def looked_at(
        calls: CommitCalls, worker_id: UUID, flights: Sequence[Flight]
    ) -> tuple[str, tuple[Any, ...]]:
        threads["made"].append(threading.get_ident())
        return made(calls, worker_id, flights)

    def looked_at_too(statement: Statement, arguments: Sequence[Any]) -> bytes:
        threads["put into bytes"].append(threading.get_ident())
        return put(statement, arguments)

    monkeypatch.setattr(CommitCalls, "call", looked_at)
    monkeypatch.setattr(Statement, "call", looked_at_too)
    loop = threading.get_ident()
    assert (await commit(worker.committer, large, MANY)).result is CommitResult.COMMITTED
    assert all(seen and loop not in seen for seen in threads.values()), threads
    for seen in threads.values():
        seen.clear()
    assert (await commit(worker.committer, small, {b"a": b"1"})).result is CommitResult.COMMITTED
    assert all(set(seen) == {loop} for seen in threads.values()), threads
