"""What a room that was thrown away has not released is released afterwards."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import (
    LeaseLost,
    RoomAborted,
    StorageRefused,
    StoreUnavailable,
    WorkerLeaving,
)
from app.core.ids import ObjectId, WorkerId
from app.core.values import Claim, CommitResult
from app.testing.harness import ObjectHarness
from tests.unit.cluster.slow_store import Plain


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Plain.fail = False
    async with ObjectHarness({"plain": Plain}) as made:
        yield made


async def _with_a_commit(harness: ObjectHarness) -> None:
    socket = await harness.connect("plain", "a")
    socket.say("x")
    await harness.settle()
    room = harness.live_room("plain", "a")
    assert room is not None
    room.abort(RoomAborted())


def _holder(harness: ObjectHarness) -> object:
    return harness.database.objects[harness.object_id("plain", "a").uuid].worker_id


async def test_an_object_whose_room_was_thrown_away_is_free(harness: ObjectHarness) -> None:
    await _with_a_commit(harness)
    await harness.settle()
    assert _holder(harness) is None


async def test_one_that_never_stored_anything_leaves_no_row(harness: ObjectHarness) -> None:
    room = await harness.room("plain", "a")
    room.abort(RoomAborted())
    await harness.settle()
    assert harness.database.objects == {}


async def test_while_the_database_is_away_it_waits(harness: ObjectHarness) -> None:
    room = await harness.room("plain", "a")
    harness.database.away = True
    room.abort(RoomAborted())
    await harness.settle()
    harness.database.away = False
    assert harness.registry._orphans
    await harness.advance(1.0)
    assert not harness.registry._orphans


async def test_one_that_has_been_claimed_again_is_left_alone(harness: ObjectHarness) -> None:
    await _with_a_commit(harness)
    room = await harness.room("plain", "a")
    await harness.settle()
    assert _holder(harness) == harness.membership.worker_id
    socket = await harness.connect("plain", "a")
    socket.say("y")
    await harness.settle()
    assert room.open
    assert socket.received == ["y"]


async def test_one_that_another_worker_took_is_left_alone(harness: ObjectHarness) -> None:
    socket = await harness.connect("plain", "a")
    harness.committer.fail_next(CommitResult.LOST)
    other = harness.database.add_worker()
    harness.database.objects[harness.object_id("plain", "a").uuid].worker_id = other
    socket.say("x")
    await harness.settle()
    assert _holder(harness) == other
    assert not harness.registry._orphans


async def test_those_of_a_lost_lease_die_with_their_worker(harness: ObjectHarness) -> None:
    await harness.room("plain", "a")
    harness.database.away = True
    await harness.advance(4.0)
    harness.database.away = False
    assert len(harness.registry) == 0
    assert not harness.registry._orphans
    with pytest.raises(LeaseLost):
        await harness.room("plain", "b")


async def test_a_release_that_the_database_refuses_is_no_end_of_the_sweep(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_claim: object) -> None:
        raise StorageRefused

    release = harness.store.release
    monkeypatch.setattr(harness.store, "release", refuse)
    await _with_a_commit(harness)
    await harness.advance(3)
    assert _holder(harness) is not None
    monkeypatch.setattr(harness.store, "release", release)
    await harness.advance(3)
    assert _holder(harness) is None


def _lose_the_answer(harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database go away in the moment in which it has made a claim."""
    claim = harness.store.claim

    async def unanswered(object_id: ObjectId, worker_id: WorkerId) -> Claim:
        await claim(object_id, worker_id)
        monkeypatch.undo()
        raise StoreUnavailable

    monkeypatch.setattr(harness.store, "claim", unanswered)


async def test_a_claim_that_was_not_answered_is_given_up_once_the_worker_drains(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _with_a_commit(harness)
    await harness.settle()
    _lose_the_answer(harness, monkeypatch)
    with pytest.raises(StoreUnavailable):
        await harness.room("plain", "a")
    await harness.advance(2.0)
    assert _holder(harness) == harness.worker_id, "as long as it takes objects that does no harm"
    harness.registry.taking = False
    harness.database.away = True
    await harness.advance(1.5)
    harness.database.away = False
    await harness.advance(1.5)
    assert _holder(harness) is None


async def test_an_object_that_was_claimed_after_all_is_kept_by_a_worker_that_drains(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lose_the_answer(harness, monkeypatch)
    with pytest.raises(StoreUnavailable):
        await harness.room("plain", "a")
    await harness.connect("plain", "a")
    harness.registry.taking = False
    await harness.advance(2.5)
    assert _holder(harness) == harness.worker_id
    assert harness.live_room("plain", "a") is not None


async def test_a_claim_made_as_the_worker_begins_to_drain_is_given_back_when_that_is_possible(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = harness.store.claim

    async def late(object_id: ObjectId, worker_id: WorkerId) -> Claim:
        made = await claim(object_id, worker_id)
        harness.registry.taking = False
        harness.database.away = True
        return made

    monkeypatch.setattr(harness.store, "claim", late)
    with pytest.raises(WorkerLeaving):
        await harness.room("plain", "a")
    harness.database.away = False
    assert _holder(harness) == harness.worker_id
    await harness.advance(1.5)
    assert harness.database.objects == {}
