"""History on real Postgres: what the twin does not have."""

import asyncio

from app.core.history import HistoryRule
from app.core.ids import CommitSeq
from app.core.values import CommitResult, KeyRange
from app.store.committer import PostgresCommitter
from app.store.history import PostgresObjectHistory
from app.store.history_pruning import HistoryPruner
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import Site, Worker

KEPT = HistoryRule(seconds=86_400, size_bytes=1 << 30)
NOTHING_OLD = HistoryRule(seconds=0, size_bytes=1 << 30)


async def keeping(worker: Worker) -> PostgresCommitter:
    """Another committer of the worker, which keeps history."""
    committer = PostgresCommitter(
        worker.database, worker_id=worker.worker_id, lease=worker.lease, history=KEPT
    )
    await committer.start()
    return committer


async def test_history_that_was_left_without_its_object_is_of_nobodys_past(site: Site) -> None:
    worker = await site.worker()
    object_id = site.database.object_ids.from_name("notes", "room")
    await site.database.fetch(
        "insert into object_history "
        "select $1, n, 'a', 'old', now(), n from generate_series(1, 3) n",
        object_id.uuid,
    )
    writes = await worker.room("room")
    assert writes.claim.commit_seq == 3
    committer = await keeping(worker)
    outcome = await commit(committer, writes, {b"a": b"1"})
    await committer.close()
    assert (outcome.result, outcome.commit_seq) == (CommitResult.COMMITTED, 4)
    history = PostgresObjectHistory(site.database)
    stand = await history.stand(object_id)
    assert stand is not None
    assert stand.oldest == 3
    assert (await history.scan(object_id, CommitSeq(3), KeyRange())).rows == []


async def test_pruning_and_commits_do_not_wait_for_one_another(site: Site) -> None:
    worker = await site.worker()
    writes = await worker.room("room")
    committer = await keeping(worker)
    for number in range(5):
        await commit(committer, writes, {b"a": b"%d" % number})
    pruner = HistoryPruner(site.database, NOTHING_OLD)
    session = await site.session()
    async with session.transaction():
        await session.execute("select from object for update")
        await asyncio.wait_for(pruner.prune(), 20)
        await site.database.fetch("select from object_history")
    rows = await site.database.fetch("select count(*) as left from object_history")
    assert rows[0]["left"] == 5, "the row was locked: another time"
    async with session.transaction():
        await session.execute("select from object_history for update")
        await asyncio.wait_for(pruner.prune(), 20)
        outcome = await commit(committer, writes, {b"a": b"last"})
        assert outcome.result is CommitResult.COMMITTED
    await pruner.prune()
    rows = await site.database.fetch("select count(*) as left from object_history")
    assert rows[0]["left"] == 0
    await committer.close()


async def test_a_large_past_is_restored_without_travelling(site: Site) -> None:
    worker = await site.worker()
    writes = Writes((await worker.room("room")).claim)
    committer = await keeping(worker)
    for part in range(5):
        rows: dict[bytes, bytes | None] = {
            b"%d-%05d" % (part, number): bytes(100) for number in range(4_000)
        }
        await commit(committer, writes, rows)
    await commit(committer, writes, {}, wipe=True)
    number = len(writes.outcomes)
    committer.enqueue(writes.restore(CommitSeq(5)))
    assert (await writes.answer(number)).result is CommitResult.COMMITTED
    await committer.close()
    (found,) = await site.database.fetch("select count(*) as rows from object_row")
    assert found["rows"] == 20_000
