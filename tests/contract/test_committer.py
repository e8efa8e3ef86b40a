"""What `core.ports.Committer` promises."""

import secrets

import pytest

from app.core.errors import OwnershipLost, StorageRefused
from app.core.history import NO_HISTORY, HistoryRule
from app.core.ids import CommitSeq, Epoch
from app.core.ports import Committer
from app.core.values import Claim, CommitOutcome, CommitResult, KeyRange
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit


class Bench:
    """A committer and the worker that it commits for."""

    def __init__(self, world: World, committer: Committer, claim: Claim) -> None:
        self.world = world
        self.committer = committer
        self.worker_id = claim.worker_id
        self.writes = Writes(claim)

    async def another(self, name: str) -> Writes:
        object_id = self.world.object_ids.from_name("notes", name)
        return Writes(await self.world.store.claim(object_id, self.worker_id))

    async def rows(self, writes: Writes) -> dict[bytes, bytes]:
        page = await self.world.store.scan(writes.claim.object_id, KeyRange())
        return dict(page.rows)


KEPT = HistoryRule(seconds=3600, size_bytes=1 << 30)


@pytest.fixture(params=[NO_HISTORY, KEPT], ids=["no history", "history"])
async def bench(request: pytest.FixtureRequest, world: World) -> Bench:
    world.keep_history(request.param)
    worker_id = await live_worker(world)
    claim = await world.store.claim(world.object_ids.from_name("notes", "room"), worker_id)
    return Bench(world, await world.committer(worker_id, Lease()), claim)


def forged(claim: Claim, *, epoch: int = 0, commit_seq: int = 0) -> Claim:
    """The claim with other numbers."""
    return Claim(
        object_id=claim.object_id,
        worker_id=claim.worker_id,
        epoch=Epoch(claim.epoch + epoch),
        commit_seq=CommitSeq(claim.commit_seq + commit_seq),
    )


async def test_what_was_committed_can_be_read(bench: Bench) -> None:
    outcome = await commit(bench.committer, bench.writes, {b"a": b"1", b"b": b"2"})
    assert outcome == (CommitResult.COMMITTED, 1, None)
    assert await bench.rows(bench.writes) == {b"a": b"1", b"b": b"2"}


async def test_commits_build_on_one_another(bench: Bench) -> None:
    await commit(bench.committer, bench.writes, {b"a": b"1", b"b": b"2", b"c": b"3"})
    await commit(bench.committer, bench.writes, {b"a": b"one", b"b": None, b"missing": None})
    outcome = await commit(bench.committer, bench.writes, {b"b": b"again"})
    assert outcome.commit_seq == 3
    assert await bench.rows(bench.writes) == {b"a": b"one", b"b": b"again", b"c": b"3"}


async def test_an_empty_batch_counts_as_a_commit(bench: Bench) -> None:
    outcome = await commit(bench.committer, bench.writes, {})
    assert (outcome.result, outcome.commit_seq) == (CommitResult.COMMITTED, 1)
    assert await bench.rows(bench.writes) == {}


async def test_a_wipe_deletes_every_row_that_is_not_put(bench: Bench) -> None:
    await commit(bench.committer, bench.writes, {b"a": b"1", b"b": b"2", b"c": b"3"})
    await commit(bench.committer, bench.writes, {b"b": b"new", b"c": None, b"d": b"4"}, wipe=True)
    assert await bench.rows(bench.writes) == {b"b": b"new", b"d": b"4"}
    await commit(bench.committer, bench.writes, {}, wipe=True)
    assert await bench.rows(bench.writes) == {}


async def test_a_wipe_touches_its_own_object_only(bench: Bench) -> None:
    other = await bench.another("other")
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    await commit(bench.committer, other, {b"a": b"2", b"b": b"3"})
    bench.committer.enqueue(other.put({b"b": None}))
    await commit(bench.committer, bench.writes, {}, wipe=True)
    await other.answer(1)
    assert await bench.rows(bench.writes) == {}
    assert await bench.rows(other) == {b"a": b"2"}


async def test_values_and_keys_may_be_empty_and_big(bench: Bench) -> None:
    entries: dict[bytes, bytes | None] = {b"": b"", b"k" * 2048: secrets.token_bytes(2_000_000)}
    await commit(bench.committer, bench.writes, entries)
    assert await bench.rows(bench.writes) == entries


@pytest.mark.parametrize("wrong", [{"epoch": -1}, {"epoch": 1}, {"commit_seq": 1}])
async def test_a_wrong_epoch_or_number_is_lost_and_changes_nothing(
    bench: Bench, wrong: dict[str, int]
) -> None:
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    stale = Writes(forged(bench.writes.claim, **{"commit_seq": 1, **wrong, **_plus_one(wrong)}))
    good = await bench.another("good")
    bench.committer.enqueue(good.put({b"g": b"1"}))
    outcome = await commit(bench.committer, stale, {b"a": b"forged", b"b": None})
    assert outcome.result is CommitResult.LOST
    assert isinstance(outcome.error, OwnershipLost)
    assert await bench.rows(bench.writes) == {b"a": b"1"}
    assert (await good.answer(0)).result is CommitResult.COMMITTED
    assert (await commit(bench.committer, bench.writes, {b"a": b"2"})).commit_seq == 2


def _plus_one(wrong: dict[str, int]) -> dict[str, int]:
    """One commit has happened already; what is wrong is wrong on top of that."""
    return {"commit_seq": wrong["commit_seq"] + 1} if "commit_seq" in wrong else {}


async def test_an_old_number_is_lost(bench: Bench) -> None:
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    late_copy = Writes(bench.writes.claim)
    outcome = await commit(bench.committer, late_copy, {b"a": b"old"}, wipe=True)
    assert outcome.result is CommitResult.LOST
    assert await bench.rows(bench.writes) == {b"a": b"1"}


async def test_after_a_takeover_the_old_owner_is_lost_and_its_other_rooms_are_not(
    world: World, bench: Bench
) -> None:
    other = await bench.another("other")
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    await world.expire(bench.worker_id)
    taken = await world.store.claim(bench.writes.claim.object_id, await live_worker(world))
    bench.committer.enqueue(other.put({b"o": b"1"}))
    outcome = await commit(bench.committer, bench.writes, {b"a": b"2"})
    assert outcome.result is CommitResult.LOST
    assert (await other.answer(0)).result is CommitResult.COMMITTED
    page = await world.store.load(taken, rows=10, size_bytes=1000)
    assert page.rows == [(b"a", b"1")]


async def test_a_released_object_cannot_be_committed_to(world: World, bench: Bench) -> None:
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    await world.store.release(bench.writes.claim)
    outcome = await commit(bench.committer, bench.writes, {b"a": b"2"})
    assert outcome.result is CommitResult.LOST


async def test_a_committer_commits_for_its_own_worker_only(world: World, bench: Bench) -> None:
    stranger = await live_worker(world)
    claim = await world.store.claim(world.object_ids.from_name("notes", "strange"), stranger)
    outcome = await commit(bench.committer, Writes(claim), {b"a": b"1"})
    assert outcome.result is CommitResult.LOST


async def test_rows_that_the_database_refuses_are_refused_for_their_room_alone(
    bench: Bench,
) -> None:
    rooms = [await bench.another(f"room-{number}") for number in range(9)]
    for number, writes in enumerate(rooms):
        key = secrets.token_bytes(2_700) if number in (2, 7) else b"key"
        bench.committer.enqueue(writes.put({b"first": b"1", key: b"2"}))
    for number, writes in enumerate(rooms):
        outcome = await writes.answer(0)
        if number in (2, 7):
            assert outcome.result is CommitResult.REFUSED
            assert isinstance(outcome.error, StorageRefused)
            assert await bench.rows(writes) == {}
        else:
            assert outcome.result is CommitResult.COMMITTED
            assert await bench.rows(writes) == {b"first": b"1", b"key": b"2"}
    assert (await commit(bench.committer, rooms[2], {b"a": b"1"})).commit_seq == 1


async def test_what_is_enqueued_while_its_batch_is_in_flight_goes_into_the_next(
    bench: Bench,
) -> None:
    writes = bench.writes
    bench.committer.enqueue(writes.put({b"a": b"1"}))
    await writes.taken_once()
    bench.committer.enqueue(writes.put({b"b": b"2"}))
    assert (await writes.answer(0)).commit_seq == 1
    assert (await writes.answer(1)).commit_seq == 2
    assert [dict(batch.entries) for batch in writes.taken] == [{b"a": b"1"}, {b"b": b"2"}]
    assert await bench.rows(writes) == {b"a": b"1", b"b": b"2"}


async def test_enqueuing_from_within_settle_works(bench: Bench) -> None:
    committer = bench.committer

    class Chain(Writes):
        def settle(self, outcome: CommitOutcome) -> None:
            super().settle(outcome)
            if len(self.outcomes) < 5:
                committer.enqueue(self.put({b"n": b"%d" % len(self.outcomes)}))

    chain = Chain(bench.writes.claim)
    committer.enqueue(chain.put({b"n": b"0"}))
    assert (await chain.answer(4)).commit_seq == 5
    assert await bench.rows(chain) == {b"n": b"4"}


async def test_a_source_with_nothing_to_commit_is_not_settled(bench: Bench) -> None:
    idle = await bench.another("idle")
    bench.committer.enqueue(idle)
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    assert idle.outcomes == []


async def test_writes_made_before_the_batch_is_taken_are_one_commit(bench: Bench) -> None:
    writes = bench.writes
    bench.committer.enqueue(writes.put({b"a": b"1"}))
    bench.committer.enqueue(writes.put({b"a": b"2", b"b": b"3"}))
    assert (await writes.answer(0)).commit_seq == 1
    assert len(writes.taken) == 1
    assert await bench.rows(writes) == {b"a": b"2", b"b": b"3"}


async def test_many_rooms_commit_together(bench: Bench) -> None:
    rooms = [await bench.another(f"room-{number}") for number in range(60)]
    for round_ in range(3):
        for number, writes in enumerate(rooms):
            bench.committer.enqueue(writes.put({b"round": b"%d" % round_, b"room": b"%d" % number}))
        for writes in rooms:
            assert (await writes.answer(round_)).commit_seq == round_ + 1
    for number, writes in enumerate(rooms):
        assert await bench.rows(writes) == {b"round": b"2", b"room": b"%d" % number}


async def test_large_and_small_batches_go_side_by_side(bench: Bench) -> None:
    big, many = await bench.another("big"), await bench.another("many")
    big_rows: dict[bytes, bytes | None] = {b"%d" % number: bytes(1_500_000) for number in range(3)}
    many_rows: dict[bytes, bytes | None] = {b"%d" % number: b"x" for number in range(9_000)}
    bench.committer.enqueue(big.put(big_rows))
    bench.committer.enqueue(many.put(many_rows))
    await commit(bench.committer, bench.writes, {b"a": b"1"})
    for writes, rows in ((big, big_rows), (many, many_rows)):
        assert (await writes.answer(0)).result is CommitResult.COMMITTED
        found = await bench.world.store.read(writes.claim.object_id, list(rows))
        assert found == rows
