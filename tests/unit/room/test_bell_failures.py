"""What becomes of an alarm whose run fails, or whose worker does.

The numbers in names are those of the conformance list, section L.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

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
    get_alarm,
    now,
    row,
    set_alarm,
)
from tests.unit.room.lab import Lab, forget, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    classes: dict[str, type[DurableObject] | Mount] = {"lab": Alarmed}
    async with ObjectHarness(classes) as opened:
        yield opened


def ringing(harness: ObjectHarness, due: DueAlarm) -> "asyncio.Task[RingOutcome]":
    return _tasks.start(harness.ringer.ring(due), name="ring")


async def test_151_152_a_run_that_raises_is_undone_and_tried_six_times_more(
    harness: ObjectHarness,
) -> None:
    begun: list[int] = []

    def write_and_raise(lab: Alarmed, _info: AlarmInfo) -> None:
        begun.append(lab.ctx.now())
        lab.storage.put("key", 1)
        lab.storage.set_alarm(5)
        raise ValueError("the author's")

    Alarmed.on_ring = write_and_raise
    due = now(harness)
    await set_alarm(harness, due)
    with capture_logs() as logs:
        await harness.advance(400)
    pauses = [after - before for before, after in itertools.pairwise(begun)]
    assert len(pauses) == 6
    for number, pause in enumerate(pauses):
        shortest = 2_000 * 2**number
        assert shortest <= pause <= shortest * 1.25 + 600, "the harness looks every half second"
    assert [info.retry_count for info in Alarmed.runs] == list(range(7))
    assert {info.scheduled_for for info in Alarmed.runs} == {due}
    assert [log["event"] for log in logs if log["event"].startswith("alarm_")] == ["alarm_given_up"]
    stored = row(harness)
    assert stored is not None
    assert (stored.counted_attempts, stored.next_attempt_ms) == (7, None)
    assert await get_alarm(harness) is None
    assert harness.contents("lab", "a") == {}
    assert harness.counted["alarms_failed"] == 7
    assert harness.counted["alarms_given_up"] == 1


async def test_an_alarm_that_was_given_up_can_be_set_again(harness: ObjectHarness) -> None:
    Alarmed.on_ring = fail
    await set_alarm(harness, 5)
    await harness.advance(400)
    Alarmed.reset()
    await set_alarm(harness, 6)
    await harness.settle()
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [(6, 0)]
    assert row(harness) is None


async def test_153_faults_that_are_not_the_authors_are_not_counted_and_never_end(
    harness: ObjectHarness,
) -> None:
    def away(_lab: Alarmed, _info: AlarmInfo) -> None:
        raise StoreUnavailable

    Alarmed.on_ring = away
    await set_alarm(harness, 5)
    await harness.advance(700)
    assert len(Alarmed.runs) == 9  # after 2, 4, ... 256 seconds
    assert not any(info.is_retry for info in Alarmed.runs)
    stored = row(harness)
    assert stored is not None
    assert (stored.counted_attempts, stored.uncounted_attempts) == (0, 9)
    assert await get_alarm(harness) == 5


async def test_a_call_that_is_never_answered_counts_as_the_authors(harness: ObjectHarness) -> None:
    def unanswered(_lab: Alarmed, _info: AlarmInfo) -> None:
        raise CallTimedOut

    Alarmed.on_ring = unanswered
    await set_alarm(harness, 5)
    await harness.advance(400)
    assert harness.counted["alarms_given_up"] == 1


async def test_154_the_first_fault_of_the_author_after_others_is_retried_after_two_seconds(
    harness: ObjectHarness,
) -> None:
    await set_alarm(harness, 5)
    change_by_hand(harness, uncounted_attempts=8)
    Alarmed.on_ring = fail
    await harness.settle()
    await harness.advance(3.5)
    assert [info.retry_count for info in Alarmed.runs] == [0, 1]


async def test_156_between_a_failed_run_and_its_retry_the_alarm_is_still_set(
    harness: ObjectHarness,
) -> None:
    Alarmed.on_ring = fail
    due = now(harness)
    await set_alarm(harness, due)
    await harness.settle()
    assert len(Alarmed.runs) == 1
    assert await get_alarm(harness) == due


async def test_157_deleting_between_retries_ends_them(harness: ObjectHarness) -> None:
    Alarmed.on_ring = fail
    await set_alarm(harness, 5)
    await harness.settle()
    await perform(harness, lambda lab: lab.storage.delete_alarm())
    await harness.advance(10)
    assert len(Alarmed.runs) == 1
    assert row(harness) is None


async def test_158_what_a_failed_run_set_at_a_commit_point_takes_the_place_of_its_retry(
    harness: ObjectHarness,
) -> None:
    later = now(harness) + 30_000

    async def set_commit_raise(lab: Alarmed, info: AlarmInfo) -> None:
        if info.scheduled_for != later:
            lab.storage.set_alarm(later)
            await lab.storage.sync()
            raise ValueError("after the commit point")

    Alarmed.on_ring = set_commit_raise
    await set_alarm(harness, 5)
    await harness.advance(20)
    assert len(Alarmed.runs) == 1
    assert await get_alarm(harness) == later
    await harness.advance(11)
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [(5, 0), (later, 0)]


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
    room._mailbox._limit_events = 0
    due = DueAlarm(object_id=room.object_id, name="", due_ms=5, attempt_ms=stored.next_attempt_ms)
    with pytest.raises(Overloaded):
        await harness.ringer.ring(due)
    room._mailbox._limit_events = 9
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


async def test_159_a_run_whose_commit_fails_is_run_again(harness: ObjectHarness) -> None:
    def write(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.storage.put("runs", len(Alarmed.runs))
        if len(Alarmed.runs) == 1:
            harness.fail_next_commit()

    Alarmed.on_ring = write
    await set_alarm(harness, 5)
    await harness.advance(5)
    assert [info.retry_count for info in Alarmed.runs] == [0, 0]
    assert harness.contents("lab", "a") == {"runs": 2}
    assert row(harness) is None


async def test_160_a_worker_that_vanishes_in_the_run_leaves_the_alarm_to_another(
    harness: ObjectHarness,
) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    Alarmed.on_ring = lambda _lab, _info: gate
    await set_alarm(harness, 5)
    await harness.settle()
    assert len(Alarmed.runs) == 1
    harness.database.workers[harness.worker_id].dead = True
    Alarmed.on_ring = lambda lab, _info: lab.storage.put("by", "another")
    second = ObjectHarness(
        {"lab": Alarmed}, database=harness.database, clock=harness.clock, node="another"
    )
    async with second:
        await second.advance(3)
        assert len(Alarmed.runs) == 2
        assert second.contents("lab", "a") == {"by": "another"}
    gate.set_result(None)


async def test_168_a_run_that_takes_too_long_is_ended_and_counts(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "HANDLER_SECONDS", 0.01)
    ended = asyncio.Event()

    async def for_ever(_lab: Alarmed, info: AlarmInfo) -> None:
        if info.is_retry:
            return
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    Alarmed.on_ring = for_ever
    await set_alarm(harness, 5)
    async with asyncio.timeout(10):
        await ended.wait()
    await harness.settle()
    stored = row(harness)
    assert stored is not None
    assert stored.counted_attempts == 1
    await harness.advance(3)
    assert [info.retry_count for info in Alarmed.runs] == [0, 1]


async def test_a_run_may_take_longer_than_other_events() -> None:
    assert bell.HANDLER_SECONDS == 15 * 60


async def test_169_an_object_that_aborts_itself_in_the_run_is_rung_again(
    harness: ObjectHarness,
) -> None:
    def abort_once(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            lab.ctx.abort("enough")

    Alarmed.on_ring = abort_once
    await set_alarm(harness, 5)
    await harness.advance(4)
    assert len(Alarmed.runs) == 2
    assert row(harness) is None


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
