"""An object that throws itself away while an alarm of it runs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.errors import RoomAborted
from app.core.tasks import TaskOwner
from app.sdk import AlarmInfo
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, now, row, rows, set_alarm
from tests.unit.room.lab import forget, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}) as opened:
        yield opened


def abort(lab: Alarmed, _info: AlarmInfo) -> None:
    """A run that throws its object away."""
    lab.ctx.abort("enough")


def abort_and_drop(lab: Alarmed, _info: AlarmInfo) -> None:
    """The same, and the alarm with it."""
    lab.ctx.abort("enough", retry_alarm=False)


async def test_an_object_that_always_aborts_ends_as_a_dead_letter(harness: ObjectHarness) -> None:
    Alarmed.on_ring = abort
    await set_alarm(harness, 5)
    await harness.advance(200)
    assert [info.retry_count for info in Alarmed.runs] == list(range(7))
    Alarmed.on_ring = None
    (letter,) = await perform(harness, lambda lab: lab.storage.dead_alarms())
    assert (letter.failure.error_class, letter.failure.error_text) == ("RoomAborted", "enough")
    assert harness.counted["alarms_given_up"] == 1


async def test_a_run_of_a_series_that_aborts_may_be_dropped_alone(harness: ObjectHarness) -> None:
    Alarmed.on_ring = abort_and_drop
    due = now(harness) + 10_000
    await perform(harness, lambda lab: lab.storage.set_alarm(due, name="tick", every=60))
    await harness.advance(20)
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [(due, 0)]
    assert rows(harness)["tick"].due_ms == due + 60_000
    Alarmed.on_ring = None
    await harness.advance(60)
    assert Alarmed.runs[-1].scheduled_for == due + 60_000


async def test_a_background_task_that_aborts_says_it_of_the_run_as_well(
    harness: ObjectHarness,
) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    running: list[Alarmed] = []

    async def wait(lab: Alarmed, _info: AlarmInfo) -> None:
        running.append(lab)
        await gate

    Alarmed.on_ring = wait
    await set_alarm(harness, 5)
    await harness.settle()
    with pytest.raises(BaseException, match="from outside"):
        running[0].ctx.abort("from outside", retry_alarm=False)
    await harness.settle()
    assert row(harness) is None
    gate.set_result(None)
    await harness.advance(70)
    assert len(Alarmed.runs) == 1


async def test_an_abort_after_the_run_says_nothing_of_it(harness: ObjectHarness) -> None:
    """Its commit is under way: whether it arrives is for the database to say."""
    await set_alarm(harness, 5)
    harness.committer.hold()
    await harness.settle()
    assert len(Alarmed.runs) == 1
    room = harness.live_room("lab", "a")
    assert room is not None
    instance = room._residence.instance
    assert instance is not None
    with pytest.raises(BaseException, match="too late"):
        instance.ctx.abort("too late", retry_alarm=False)
    harness.committer.release()
    await harness.advance(5)
    assert [info.retry_count for info in Alarmed.runs] == [0, 0]
    assert row(harness) is None


async def test_what_nobody_could_note_is_run_again(harness: ObjectHarness) -> None:
    def abort_once(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            harness.database.away = True
            lab.ctx.abort("enough", retry_alarm=False)

    Alarmed.on_ring = abort_once
    await set_alarm(harness, 5)
    await harness.settle()
    harness.database.away = False
    await harness.advance(15)
    assert [info.retry_count for info in Alarmed.runs] == [0, 0], "at least once, and not counted"
    assert row(harness) is None


async def test_a_next_room_that_cannot_start_notes_it_all_the_same(harness: ObjectHarness) -> None:
    def abort_for_good(lab: Alarmed, _info: AlarmInfo) -> None:
        Alarmed.starting = lambda: int("no number")
        lab.ctx.abort("enough")

    Alarmed.on_ring = abort_for_good
    await set_alarm(harness, 5)
    await harness.settle()
    stored = row(harness)
    assert stored is not None
    assert stored.counted_attempts == 1
    Alarmed.starting = Alarmed.on_ring = None
    await harness.advance(4)
    assert row(harness) is None


async def test_alarms_that_wait_for_their_turn_are_rung_again_when_the_room_ends(
    harness: ObjectHarness,
) -> None:
    def abort_first(lab: Alarmed, info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            lab.ctx.abort("enough", retry_alarm=False)
        lab.storage.put(info.name, 1)

    def set_both(lab: Alarmed) -> None:
        for name in ("a", "b"):
            lab.storage.set_alarm(5, name=name)

    Alarmed.on_ring = abort_first
    await perform(harness, set_both)  # type: ignore[arg-type] # it is the lab of this harness
    await harness.advance(5)
    assert len(Alarmed.runs) == 2
    assert rows(harness) == {}


async def test_a_room_that_is_aborted_from_outside_fails_no_run(harness: ObjectHarness) -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    Alarmed.on_ring = lambda _lab, _info: gate
    await set_alarm(harness, now(harness) + 1_000)
    await forget(harness)
    await harness.advance(1)
    room = harness.live_room("lab", "a")
    assert room is not None
    room.abort(RoomAborted("the worker's"))
    Alarmed.on_ring = None
    await harness.advance(5)
    gate.set_result(None)
    assert [info.retry_count for info in Alarmed.runs] == [0, 0]
    assert row(harness) is None


async def test_a_test_that_runs_an_alarm_is_told_of_the_abort(harness: ObjectHarness) -> None:
    await set_alarm(harness, now(harness) + 60_000)
    stub = harness.stub("lab", "a")
    Alarmed.on_ring = abort
    with pytest.raises(RuntimeError, match="RoomAborted: enough"):
        await harness.run_alarm_now(stub)
    Alarmed.on_ring = abort_and_drop
    assert await harness.run_alarm_now(stub), "it was dropped"
    assert not await harness.run_alarm_now(stub)
