"""The connection breaks after a restoration was sent: it is done once, or not and said so."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.core.history import HistoryRule
from app.core.ids import CommitSeq
from app.core.values import CommitOutcome, CommitResult, KeyRange
from app.store.committer import PostgresCommitter
from app.store.history import PostgresObjectHistory
from tests.doubles.batch_source import Writes, commit
from tests.doubles.tcp_proxy import Fault, FaultProxy
from tests.integration.store.conftest import Site

KEPT = HistoryRule(seconds=86_400, size_bytes=1 << 30)


class Far:
    """An object with two states, whose committer is behind a faulty network."""

    def __init__(
        self, site: Site, proxy: FaultProxy, committer: PostgresCommitter, writes: Writes
    ) -> None:
        self.site = site
        self.proxy = proxy
        self.committer = committer
        self.writes = writes

    def then(self, fault: Fault) -> None:
        self.proxy.marker = self.writes.claim.object_id.uuid.bytes
        self.proxy.script.append(fault)

    async def restore(self) -> CommitOutcome:
        before = len(self.writes.outcomes)
        self.committer.enqueue(self.writes.restore(CommitSeq(1)))
        return await self.writes.answer(before)

    async def states(self) -> list[dict[bytes, bytes]]:
        history = PostgresObjectHistory(self.site.database)
        object_id = self.writes.claim.object_id
        stand = await history.stand(object_id)
        assert stand is not None
        pages = [
            await history.scan(object_id, CommitSeq(number), KeyRange())
            for number in range(stand.commit_seq + 1)
        ]
        return [dict(page.rows) for page in pages]


@pytest_asyncio.fixture
async def far(site: Site) -> AsyncIterator[Far]:
    async with FaultProxy(site.url) as proxy:
        worker = await site.worker(proxy.url)
        committer = PostgresCommitter(
            worker.database, worker_id=worker.worker_id, lease=worker.lease, history=KEPT
        )
        await committer.start()
        writes = await worker.room("room")
        await commit(committer, writes, {b"a": b"0"})
        await commit(committer, writes, {b"a": b"1", b"b": b"2"})
        yield Far(site, proxy, committer, writes)
        await committer.close(seconds=1.0)
        await worker.committer.close(seconds=1.0)


FORMER: list[dict[bytes, bytes]] = [{}, {b"a": b"0"}, {b"a": b"1", b"b": b"2"}]


async def test_a_restoration_whose_answer_was_lost_counts_once(far: Far) -> None:
    far.then(Fault.LOSE_ANSWER)
    outcome = await far.restore()
    assert (outcome.result, outcome.commit_seq) == (CommitResult.COMMITTED, 4)
    assert await far.states() == [*FORMER, {b"a": b"0"}, {b"a": b"0"}]


@pytest.mark.parametrize("fault", [Fault.LOSE_STATEMENT, Fault.HOLD_STATEMENT])
async def test_a_restoration_that_did_not_arrive_is_told_and_none_comes_late(
    far: Far, fault: Fault
) -> None:
    far.then(fault)
    outcome = await far.restore()
    assert outcome.result is CommitResult.REFUSED
    if fault is Fault.HOLD_STATEMENT:
        await far.proxy.deliver()
    assert await far.states() == [*FORMER, FORMER[-1]]


async def test_a_commit_whose_answer_was_lost_keeps_its_history_once(far: Far) -> None:
    far.then(Fault.LOSE_ANSWER)
    outcome = await commit(far.committer, far.writes, {b"a": b"2", b"b": None})
    assert outcome.commit_seq == 4
    assert await far.states() == [*FORMER, {b"a": b"2"}, {b"a": b"2"}]


async def test_a_late_copy_keeps_no_history(far: Far) -> None:
    far.then(Fault.HOLD_STATEMENT)
    assert (await commit(far.committer, far.writes, {b"a": b"2"})).commit_seq == 3
    await commit(far.committer, far.writes, {b"a": b"3"})
    await far.proxy.deliver()
    states = [*FORMER, {b"a": b"2", b"b": b"2"}, {b"a": b"3", b"b": b"2"}]
    assert await far.states() == states
