"""What becomes of an alarm whose run fails, or whose worker does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.errors import CallTimedOut, Overloaded, RoomAborted, StoreUnavailable
from app.core.mounts import Mount
from app.core.tasks import TaskOwner
from app.core.values import CommitResult, DueAlarm, RingOutcome
from app.room import bell
from app.sdk import AlarmInfo, DurableObject, Request
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import (
    Alarmed,
    a_ring,
    change_by_hand,
    fail,
    now,
    row,
    set_alarm,
)
from tests.unit.room.lab import Lab, forget

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    classes: dict[str, type[DurableObject] | Mount] = {"lab": Alarmed}
    async with ObjectHarness(classes) as opened:
        yield opened


def ringing(harness: ObjectHarness, due: DueAlarm) -> "asyncio.Task[RingOutcome]":
    return _tasks.start(harness.ringer.ring(due), name="ring")


async def test_an_alarm_that_was_given_up_can_be_set_again(harness: ObjectHarness) -> None:
    Alarmed.on_ring = fail
    await set_alarm(harness, 5)
    await harness.advance(400)
    Alarmed.reset()
    await set_alarm(harness, 6)
    await harness.settle()
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [(6, 0)]
    assert row(harness) is None


async def test_a_call_that_is_never_answered_counts_as_the_authors(harness: ObjectHarness) -> None:
    def unanswered(_lab: Alarmed, _info: AlarmInfo) -> None:
        raise CallTimedOut

    Alarmed.on_ring = unanswered
    await set_alarm(harness, 5)
    await harness.advance(400)
    assert harness.counted["alarms_given_up"] == 1


async def test_the_same_time_set_again_at_a_commit_point_of_a_failed_run_is_an_alarm_of_its_own(
    harness: ObjectHarness,
) -> None:
    due = now(harness)

    async def set_commit_raise(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            lab.storage.set_alarm(due)
            await lab.storage.sync()
            raise ValueError("after the commit point")

    Alarmed.on_ring = set_commit_raise
    await set_alarm(harness, due)
    await harness.settle()
    await harness.advance(1)
    assert [info.retry_count for info in Alarmed.runs] == [0, 0]
    assert row(harness) is None


async def test_a_mailbox_that_is_full_is_no_fault_of_the_authors(harness: ObjectHarness) -> None:
    await harness.alarms.close()
    await set_alarm(harness, 5)
    stored = row(harness)
    assert stored is not None
    assert stored.next_attempt_ms is not None
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    Lab.step = lambda _lab: gate
    socket = await harness.connect("lab", "a")
    busy = _tasks.start(harness.request("lab", "a", Request()), name="request")
    await harness.settle()
    room = harness.live_room("lab", "a")
    assert room is not None
    room._parts.mailbox._limit_events = 0
    due = DueAlarm(object_id=room.object_id, name="", due_ms=5, attempt_ms=stored.next_attempt_ms)
    with pytest.raises(Overloaded):
        await harness.ringer.ring(due)
    room._parts.mailbox._limit_events = 9
    gate.set_result(None)
    await busy
    assert row(harness) == stored
    assert await harness.ringer.ring(due) is RingOutcome.DONE
    assert socket.closed is None


async def test_what_was_committed_before_a_run_failed_stays_and_the_run_is_tried_again(
    harness: ObjectHarness,
) -> None:
    async def commit_then_raise(lab: Alarmed, info: AlarmInfo) -> None:
        lab.storage.put(f"before-{info.retry_count}", 1)
        await lab.storage.sync()
        lab.storage.put("after", 1)
        if not info.is_retry:
            raise ValueError("after the commit point")

    Alarmed.on_ring = commit_then_raise
    await set_alarm(harness, 5)
    await harness.advance(3)
    assert harness.contents("lab", "a") == {"before-0": 1, "before-1": 1, "after": 1}
    assert row(harness) is None


async def test_a_run_may_take_longer_than_other_events() -> None:
    assert bell.HANDLER_SECONDS == 15 * 60


async def test_an_object_that_cannot_start_has_failed_its_run(harness: ObjectHarness) -> None:
    await set_alarm(harness, now(harness) + 60_000)
    await forget(harness)
    Alarmed.starting = lambda: int("x")
    await harness.advance(61)
    stored = row(harness)
    assert stored is not None
    assert stored.counted_attempts == 1
    Alarmed.starting = None
    await harness.advance(3)
    assert [info.retry_count for info in Alarmed.runs] == [1]
    assert row(harness) is None


async def test_an_object_that_cannot_be_loaded_has_failed_nothing(harness: ObjectHarness) -> None:
    await set_alarm(harness, now(harness) + 60_000)
    await forget(harness)
    harness.database.away = True
    with pytest.raises(StoreUnavailable):
        await harness.ringer.ring(a_ring(harness, 5))
    harness.database.away = False
    stored = row(harness)
    assert stored is not None
    assert (stored.counted_attempts, stored.uncounted_attempts) == (0, 0)


async def test_a_room_that_is_thrown_away_in_the_run_tells_the_ringer(
    harness: ObjectHarness,
) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    Alarmed.on_ring = lambda _lab, _info: gate
    due = now(harness) + 60_000
    await set_alarm(harness, due)
    change_by_hand(harness, due_ms=5, next_attempt_ms=5)
    task = ringing(harness, a_ring(harness, 5))
    await harness.settle()
    room = harness.live_room("lab", "a")
    assert room is not None
    room.abort(RoomAborted("over"))
    with pytest.raises(RoomAborted):
        await task
    gate.set_exception(ValueError("after the end"))
    await harness.settle()
    assert len(Alarmed.runs) == 1


async def test_an_outcome_is_told_when_it_is_committed(harness: ObjectHarness) -> None:
    due = now(harness) + 300
    await set_alarm(harness, due)
    harness.committer.hold()
    task = ringing(harness, a_ring(harness, due))
    await harness.advance(0.3)
    assert len(Alarmed.runs) == 1
    assert not task.done()
    harness.committer.fail_next(CommitResult.LOST)
    harness.committer.commit_now()
    with pytest.raises(Exception, match="taken this object over"):
        await task
    harness.committer.release()
