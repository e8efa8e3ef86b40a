"""What becomes of an alarm when it is rung."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from app.core.mounts import Mount
from app.core.tasks import TaskOwner
from app.core.values import DueAlarm, RingOutcome
from app.sdk import AlarmInfo, DurableObject
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


async def test_a_database_clock_that_is_ahead_of_our_estimate_is_waited_for(
    harness: ObjectHarness,
) -> None:
    await perform(harness, lambda _lab: None)
    due = now(harness) + 300
    await perform(harness, lambda lab: lab.storage.set_alarm(due))
    task = ringing(harness, a_ring(harness, due))
    await harness.settle()
    assert Alarmed.runs == []
    await harness.advance(0.3)
    assert await task is RingOutcome.DONE
    assert len(Alarmed.runs) == 1


async def test_an_alarm_that_is_set_anew_for_the_very_same_time_in_its_run_runs_once_more(
    harness: ObjectHarness,
) -> None:
    due = now(harness) + 1_000

    def again(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            assert lab.ctx.now() == due
            lab.storage.set_alarm(due)

    Alarmed.on_ring = again
    await set_alarm(harness, due)
    await harness.advance(1)
    await harness.advance(10)
    assert [info.scheduled_for for info in Alarmed.runs] == [due, due]
    assert row(harness) is None


async def test_the_run_and_the_end_of_its_alarm_are_one_commit(harness: ObjectHarness) -> None:
    Alarmed.on_ring = lambda lab, _info: lab.storage.put("key", 1)
    await set_alarm(harness, 5)
    await harness.settle()
    batch = harness.committer.committed[-1]
    assert set(batch.entries) == {b"key"}
    assert dict(batch.alarms) == {"": None}


async def test_with_a_commit_point_inside_the_alarm_ends_with_the_last_unit(
    harness: ObjectHarness,
) -> None:
    async def two_units(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.storage.put("first", 1)
        await lab.storage.sync()
        lab.storage.put("second", 2)

    Alarmed.on_ring = two_units
    await set_alarm(harness, 5)
    await harness.settle()
    first, second = harness.committer.committed[-2:]
    assert (set(first.entries), dict(first.alarms)) == ({b"first"}, {})
    assert (set(second.entries), dict(second.alarms)) == ({b"second"}, {"": None})


async def test_a_ring_that_comes_after_a_failed_run_is_not_the_retry(
    harness: ObjectHarness,
) -> None:
    due = now(harness)
    Alarmed.on_ring = fail
    await set_alarm(harness, due)
    await harness.settle()
    assert await harness.ringer.ring(a_ring(harness, due)) is RingOutcome.SUPERSEDED
    assert len(Alarmed.runs) == 1


async def test_a_row_that_was_changed_by_hand_is_read_again(harness: ObjectHarness) -> None:
    due = now(harness) + 60_000
    await set_alarm(harness, due)
    assert await get_alarm(harness) == due
    change_by_hand(harness, due_ms=7, next_attempt_ms=7)
    await harness.advance(1)
    assert [info.scheduled_for for info in Alarmed.runs] == [7]
    assert row(harness) is None


async def test_a_hibernated_object_is_woken(harness: ObjectHarness) -> None:
    await harness.connect("lab", "a")
    await set_alarm(harness, now(harness) + 60_000)
    await forget(harness)
    Alarmed.on_ring = lambda lab, _info: lab.ctx.broadcast("rung")
    await harness.advance(61)
    assert len(Alarmed.runs) == 1


async def test_a_class_that_lost_its_handler_loses_its_alarms_with_a_warning(
    harness: ObjectHarness,
) -> None:
    due = now(harness) + 5_000
    await set_alarm(harness, due)
    harness.database.workers[harness.worker_id].dead = True
    second = ObjectHarness(
        {"lab": Lab}, database=harness.database, clock=harness.clock, node="another"
    )
    async with second:
        with capture_logs() as logs:
            await second.advance(6)
    assert [log["event"] for log in logs if log["event"].startswith("alarm")] == [
        "alarm_without_handler"
    ]
    assert row(harness) is None
