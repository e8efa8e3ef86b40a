"""What a run of an alarm sees and does, and what makes no run of a ring (L)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.tasks import TaskOwner
from app.core.values import DueAlarm, RingOutcome
from app.sdk import AlarmInfo
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, a_ring, get_alarm, now, row, set_alarm
from tests.unit.room.lab import Lab, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}) as opened:
        yield opened


def another(harness: ObjectHarness, node: str = "another") -> ObjectHarness:
    """Another worker on the same database."""
    return ObjectHarness(
        {"lab": Alarmed}, database=harness.database, clock=harness.clock, node=node
    )


async def test_144_a_run_never_begins_before_its_time(harness: ObjectHarness) -> None:
    """A run never begins before its time, by the database's clock."""
    seen: list[int] = []
    Alarmed.on_ring = lambda lab, _info: seen.append(lab.ctx.now())
    due = now(harness) + 1_234
    await set_alarm(harness, due)
    await harness.advance(1.2)
    assert Alarmed.runs == []
    await harness.advance(0.1)
    assert len(seen) == 1
    assert seen[0] >= due


async def test_145_the_alarm_is_not_seen_in_its_run(harness: ObjectHarness) -> None:
    """While an alarm runs, reading it tells that there is none."""
    seen: list[object] = []

    async def look(lab: Alarmed, _info: AlarmInfo) -> None:
        seen.append(await lab.storage.get_alarm())
        seen.append(await lab.storage.list_alarms())

    Alarmed.on_ring = look
    await set_alarm(harness, 5)
    await harness.settle()
    assert seen == [None, []]


async def test_146_the_alarm_is_gone_after_its_run(harness: ObjectHarness) -> None:
    """After a run that ended well there is no alarm."""
    await set_alarm(harness, 5)
    await harness.settle()
    assert len(Alarmed.runs) == 1
    assert await get_alarm(harness) is None
    assert row(harness) is None
    assert harness.counted["alarms_done"] == 1


async def test_147_a_run_is_told_what_it_is_for(harness: ObjectHarness) -> None:
    """A run is told the time it is for, and which retry it is."""
    due = now(harness) + 1_000

    def fail_once(_lab: Alarmed, info: AlarmInfo) -> None:
        if not info.is_retry:
            raise ValueError("the author's")

    Alarmed.on_ring = fail_once
    await set_alarm(harness, due)
    await harness.advance(4)
    told = [(info.scheduled_for, info.retry_count, info.is_retry) for info in Alarmed.runs]
    assert told == [(due, 0, False), (due, 1, True)]
    assert [info.name for info in Alarmed.runs] == ["", ""]


@pytest.mark.parametrize("ahead_ms", [2_000, 0, -60_000])
async def test_148_an_alarm_that_is_set_in_its_run_runs_once_more(
    harness: ObjectHarness, ahead_ms: int
) -> None:
    """An alarm that is set in its run runs exactly once more."""

    async def again(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            lab.storage.set_alarm(lab.ctx.now() + ahead_ms)
            assert await lab.storage.get_alarm() == lab.ctx.now() + ahead_ms

    Alarmed.on_ring = again
    await set_alarm(harness, now(harness) + 1_000)
    await harness.advance(1)
    await harness.advance(10)
    assert len(Alarmed.runs) == 2
    assert row(harness) is None


async def test_150_deleting_in_the_run_ends_what_was_set_in_it_and_not_the_run(
    harness: ObjectHarness,
) -> None:
    """Deleting the alarm in its run does not stop the run; it takes back what the run has set."""

    async def set_and_delete(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.storage.set_alarm(lab.ctx.now() + 1_000)
        lab.storage.delete_alarm()
        await lab.ctx.breathe()
        lab.storage.put("ended", value=True)

    Alarmed.on_ring = set_and_delete
    await set_alarm(harness, 5)
    await harness.advance(5)
    assert len(Alarmed.runs) == 1
    assert harness.contents("lab", "a") == {"ended": True}
    assert row(harness) is None


@pytest.mark.parametrize("interleave", [False, True])
async def test_161_alarms_of_one_object_never_run_at_the_same_time(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch, *, interleave: bool
) -> None:
    """No two alarms of an object run at the same time, also where its events interleave."""
    monkeypatch.setattr(Alarmed, "interleave", interleave)
    gates: asyncio.Queue[None] = asyncio.Queue()
    running = 0

    async def alone(_lab: Alarmed, _info: AlarmInfo) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await gates.get()
        running -= 1

    def set_three(lab: Lab) -> None:
        for name in ("", "b", "c"):
            lab.storage.set_alarm(5, name=name)

    Alarmed.on_ring = alone
    await perform(harness, set_three)
    await harness.settle()
    assert len(Alarmed.runs) == 1
    stored = row(harness)
    assert stored is not None
    assert stored.next_attempt_ms is not None
    first = DueAlarm(
        object_id=harness.object_id("lab", "a"),
        name="",
        due_ms=5,
        attempt_ms=stored.next_attempt_ms,
    )
    others = [_tasks.start(harness.ringer.ring(first), name="ring") for _ in range(3)]
    for number in range(3):
        await harness.settle()
        assert len(Alarmed.runs) == number + 1
        gates.put_nowait(None)
    await harness.settle()
    assert [await task for task in others] == [RingOutcome.SUPERSEDED] * 3
    assert sorted(info.name for info in Alarmed.runs) == ["", "b", "c"]


async def test_163_a_ring_for_another_time_runs_nothing(harness: ObjectHarness) -> None:
    """A ring for a time that is no longer set runs nothing."""
    due = now(harness) + 60_000
    await set_alarm(harness, due)
    assert await harness.ringer.ring(a_ring(harness, 5)) is RingOutcome.SUPERSEDED
    assert Alarmed.runs == []
    assert await get_alarm(harness) == due


async def test_164_a_ring_for_no_alarm_runs_nothing(harness: ObjectHarness) -> None:
    """A ring where no alarm is set runs nothing."""
    assert await harness.ringer.ring(a_ring(harness, 5)) is RingOutcome.SUPERSEDED
    assert Alarmed.runs == []


async def test_165_what_fell_due_in_an_outage_runs_when_it_is_over(
    harness: ObjectHarness,
) -> None:
    """An alarm whose time fell into an outage runs as soon as that is over."""
    due = now(harness) + 2_000
    await set_alarm(harness, due)
    harness.database.away = True
    await harness.advance(30)
    assert Alarmed.runs == []
    harness.database.away = False
    await harness.advance(3)
    assert [info.scheduled_for for info in Alarmed.runs] == [due]


async def test_166_an_alarm_wakes_an_object_that_nobody_holds(harness: ObjectHarness) -> None:
    """An alarm wakes an object that no worker holds; its start comes first."""
    seen: list[str] = []
    await set_alarm(harness, now(harness) + 100_000)
    await harness.advance(90)
    assert harness.live_room("lab", "a") is None
    Alarmed.starting = lambda: seen.append("start")
    Alarmed.on_ring = lambda lab, _info: seen.append(str(lab.ctx.id.name))
    await harness.advance(11)
    assert seen == ["start", "a"]


async def test_167_alarms_survive_a_restart_of_everything(harness: ObjectHarness) -> None:
    """Alarms survive a restart of all workers."""
    due = now(harness) + 20_000
    async with another(harness, "first") as before:
        await set_alarm(before, due, "kept")
    await harness.__aexit__(None, None, None)
    async with another(harness, "second") as after:
        await after.advance(19)
        assert Alarmed.runs == []
        await after.advance(2)
        assert [info.scheduled_for for info in Alarmed.runs] == [due]


async def test_172_two_workers_never_run_the_same_alarm_at_the_same_time(
    harness: ObjectHarness,
) -> None:
    """Two workers that look for due alarms never run the same one at the same time."""
    gate = asyncio.Event()
    names = [f"{number}" for number in range(10)]
    running: list[str | None] = []

    async def wait(lab: Alarmed, _info: AlarmInfo) -> None:
        running.append(lab.ctx.id.name)
        await gate.wait()

    Alarmed.on_ring = wait
    for name in names:
        await set_alarm(harness, now(harness) + 1_000, name)
    await harness.advance(1.5)
    assert sorted(map(str, running)) == names
    async with another(harness) as second:
        for found in harness.database.objects.values():
            for stored in found.alarms.values():
                stored.claim_until = float("-inf")
        await second.advance(5)
        assert sorted(map(str, running)) == names, "claimed again, and not run again"
        gate.set()
        await second.advance(15)
        assert sorted(map(str, running)) == names
    assert all(row(harness, name) is None for name in names)
