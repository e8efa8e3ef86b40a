"""Alarms of a class whose events interleave: the run is one of several, the alarms are not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.sdk import AlarmInfo, DurableObject
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, get_alarm, now, row, set_alarm
from tests.unit.room.lab import perform


class Interleaved(Alarmed):
    """Other events run while its alarm waits."""

    interleave = True


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    classes: dict[str, type[DurableObject]] = {"lab": Interleaved}
    async with ObjectHarness(classes) as opened:
        yield opened


async def test_other_events_run_in_the_middle_and_see_no_alarm(harness: ObjectHarness) -> None:
    gate = asyncio.Event()
    Alarmed.on_ring = lambda _lab, _info: gate.wait()
    await set_alarm(harness, 5)
    await harness.settle()
    assert len(Alarmed.runs) == 1
    assert await get_alarm(harness) is None
    assert row(harness) is not None, "it stands until its run has ended"
    gate.set()
    await harness.settle()
    assert row(harness) is None


async def test_what_another_event_sets_in_the_middle_of_a_run_stays(
    harness: ObjectHarness,
) -> None:
    gate = asyncio.Event()
    later = now(harness) + 60_000
    Alarmed.on_ring = lambda _lab, _info: gate.wait()
    await set_alarm(harness, 5)
    await harness.settle()
    await set_alarm(harness, later)
    assert await get_alarm(harness) == later
    gate.set()
    await harness.settle()
    assert await get_alarm(harness) == later


async def test_what_another_event_sets_takes_the_place_of_the_retry(
    harness: ObjectHarness,
) -> None:
    gate = asyncio.Event()
    later = now(harness) + 60_000

    async def wait_and_raise(_lab: Alarmed, info: AlarmInfo) -> None:
        if info.scheduled_for != later:
            await gate.wait()
            raise ValueError("the author's")

    Alarmed.on_ring = wait_and_raise
    await set_alarm(harness, 5)
    await harness.settle()
    await set_alarm(harness, later)
    gate.set()
    await harness.advance(61)
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [(5, 0), (later, 0)]
    assert row(harness) is None


async def test_what_another_event_deletes_in_the_middle_of_a_run_is_not_retried(
    harness: ObjectHarness,
) -> None:
    gate = asyncio.Event()

    async def wait_and_raise(_lab: Alarmed, _info: AlarmInfo) -> None:
        await gate.wait()
        raise ValueError("the author's")

    Alarmed.on_ring = wait_and_raise
    await set_alarm(harness, 5)
    await harness.settle()
    await perform(harness, lambda lab: lab.storage.delete_alarm())
    gate.set()
    await harness.advance(10)
    assert len(Alarmed.runs) == 1
    assert row(harness) is None


async def test_a_run_that_raises_keeps_what_it_wrote_and_is_retried(
    harness: ObjectHarness,
) -> None:
    async def write_and_raise(lab: Alarmed, info: AlarmInfo) -> None:
        lab.storage.put(f"before-{info.retry_count}", 1)
        await lab.ctx.breathe()
        lab.storage.put(f"after-{info.retry_count}", 1)
        if not info.is_retry:
            raise ValueError("the author's")

    Alarmed.on_ring = write_and_raise
    await set_alarm(harness, 5)
    await harness.advance(4)
    assert set(harness.contents("lab", "a")) == {"before-0", "after-0", "before-1", "after-1"}
    assert row(harness) is None


async def test_the_last_step_of_a_run_and_the_end_of_its_alarm_are_one_commit(
    harness: ObjectHarness,
) -> None:
    async def two_steps(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.storage.put("first", 1)
        await lab.storage.sync()
        lab.storage.put("second", 2)

    Alarmed.on_ring = two_steps
    await set_alarm(harness, 5)
    await harness.settle()
    first, second = harness.committer.committed[-2:]
    assert (set(first.entries), dict(first.alarms)) == ({b"first"}, {})
    assert (set(second.entries), dict(second.alarms)) == ({b"second"}, {"": None})


async def test_an_event_that_aborts_in_the_middle_of_a_run_fails_it(
    harness: ObjectHarness,
) -> None:
    gate = asyncio.Event()
    Alarmed.on_ring = lambda _lab, info: None if info.is_retry else gate.wait()
    await set_alarm(harness, 5)
    await harness.settle()
    with pytest.raises(Exception, match="enough"):
        await perform(harness, lambda lab: lab.ctx.abort("enough"))
    await harness.advance(4)
    gate.set()
    assert [info.retry_count for info in Alarmed.runs] == [0, 1]
    assert row(harness) is None
