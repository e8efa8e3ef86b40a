"""Alarms that repeat: when they run next, whatever became of the last run."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.values import CommitResult
from app.sdk import AlarmInfo
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, change_by_hand, fail, now, row, rows
from tests.unit.room.lab import Lab, forget, perform

MINUTE = 60_000


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}) as opened:
        yield opened


async def start_series(harness: ObjectHarness, *, every: float = 60.0, name: str = "") -> int:
    """Set an alarm that repeats, first after one interval; returns that time."""
    due = now(harness) + round(every * 1_000)
    await perform(
        harness, lambda lab: lab.storage.set_alarm(due, name=name, every=every, payload="p")
    )
    return due


def times() -> list[int]:
    return [info.scheduled_for for info in Alarmed.runs]


@pytest.mark.parametrize("every", [90, 90.0, timedelta(seconds=90)])
async def test_an_alarm_repeats_without_drifting(harness: ObjectHarness, every: Any) -> None:
    due = now(harness) + 1_234

    async def busy(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.storage.put("runs", len(Alarmed.runs))

    Alarmed.on_ring = busy
    await perform(harness, lambda lab: lab.storage.set_alarm(due, every=every, payload=[1]))
    await harness.advance(300)
    assert times() == [due, due + 90_000, due + 180_000, due + 270_000]
    assert {info.every for info in Alarmed.runs} == {timedelta(seconds=90)}
    assert Alarmed.runs[-1].payload == [1]
    assert harness.contents("lab", "a") == {"runs": 4}


async def test_a_run_and_the_next_time_are_one_commit(harness: ObjectHarness) -> None:
    due = await start_series(harness)
    Alarmed.on_ring = lambda lab, _info: lab.storage.put("key", 1)
    await harness.advance(60)
    batch = harness.committer.committed[-1]
    assert set(batch.entries) == {b"key"}
    following = batch.alarms[""]
    assert following is not None
    assert (following.due_ms, following.next_attempt_ms) == (due + MINUTE, due + MINUTE)
    assert following == row(harness)


async def test_a_run_whose_commit_fails_is_run_again_for_the_same_time(
    harness: ObjectHarness,
) -> None:
    due = await start_series(harness)

    def lose_the_first(_lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            harness.committer.fail_next(CommitResult.LOST)

    Alarmed.on_ring = lose_the_first
    await harness.advance(65)
    assert times() == [due, due]
    await harness.advance(60)
    assert times() == [due, due, due + MINUTE]


async def test_times_that_passed_in_an_outage_are_made_up_for_by_one_run(
    harness: ObjectHarness,
) -> None:
    due = await start_series(harness)
    harness.database.away = True
    await harness.advance(60 * 10.5)
    harness.database.away = False
    await harness.advance(3)
    assert times() == [due]
    await harness.advance(60)
    assert times() == [due, due + 10 * MINUTE]


async def test_times_that_passed_while_it_ran_are_left_out(harness: ObjectHarness) -> None:
    due = await start_series(harness)
    gate = asyncio.Event()
    Alarmed.on_ring = lambda _lab, _info: gate.wait()
    await harness.advance(60 + 150)
    assert times() == [due]
    gate.set()
    await harness.advance(60)
    assert times() == [due, due + 3 * MINUTE]


async def test_a_run_that_fails_is_retried_and_the_series_keeps_its_times(
    harness: ObjectHarness,
) -> None:
    due = await start_series(harness)

    def fail_twice(_lab: Alarmed, info: AlarmInfo) -> None:
        if info.retry_count < 2:
            raise ValueError("the author's")

    Alarmed.on_ring = fail_twice
    await harness.advance(70)
    assert [(info.scheduled_for, info.retry_count) for info in Alarmed.runs] == [
        (due, 0),
        (due, 1),
        (due, 2),
    ]
    Alarmed.on_ring = None
    await harness.advance(55)
    assert (times()[-1], Alarmed.runs[-1].retry_count) == (due + MINUTE, 0)
    stored = row(harness)
    assert stored is not None
    assert stored.failure is None


async def test_a_series_is_never_given_up(harness: ObjectHarness) -> None:
    due = await start_series(harness)
    await forget(harness)
    change_by_hand(harness, counted_attempts=6)
    Alarmed.on_ring = fail
    with capture_logs() as logs:
        await harness.advance(60)
    (told,) = [log for log in logs if log["event"] == "alarm_given_up"]
    assert (told["goes_on"], told["attempts"]) == (True, 7)
    assert "the author's" not in str(told)
    (entry,) = await perform(harness, lambda lab: lab.storage.list_alarms())
    assert (entry.scheduled_for, entry.retry_count) == (due + MINUTE, 0)
    assert entry.failure is not None
    assert entry.failure.error_text == "the author's"
    assert await perform(harness, lambda lab: lab.storage.dead_alarms()) == []
    Alarmed.on_ring = None
    await harness.advance(60)
    assert [(i.scheduled_for, i.retry_count) for i in Alarmed.runs] == [(due, 6), (due + MINUTE, 0)]


async def test_in_its_own_run_the_next_time_is_seen(harness: ObjectHarness) -> None:
    seen: list[object] = []

    async def look(lab: Alarmed, _info: AlarmInfo) -> None:
        seen.append(await lab.storage.get_alarm("tick"))
        seen.append([entry.next_run for entry in await lab.storage.list_alarms()])

    Alarmed.on_ring = look
    due = await start_series(harness, name="tick")
    await harness.advance(60)
    assert seen == [due + MINUTE, [due + MINUTE]]


@pytest.mark.parametrize("wiped", [True, False])
async def test_a_series_ends_when_its_run_deletes_it(
    harness: ObjectHarness, *, wiped: bool
) -> None:
    def end_at_the_second(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 2:
            if wiped:
                lab.storage.delete_all()
            else:
                lab.storage.delete_alarm("tick")

    Alarmed.on_ring = end_at_the_second
    await start_series(harness, name="tick")
    await harness.advance(600)
    assert len(Alarmed.runs) == 2
    assert rows(harness) == {}


async def test_a_series_that_is_set_anew_in_its_run_is_another_one(harness: ObjectHarness) -> None:
    def change(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            lab.storage.set_alarm(lab.ctx.now() + 7_000, name="tick", every=10)
        elif len(Alarmed.runs) == 2:
            lab.storage.set_alarm(lab.ctx.now() + 5_000, name="tick")

    Alarmed.on_ring = change
    due = await start_series(harness, name="tick")
    await harness.advance(600)
    assert times() == [due, due + 7_000, due + 12_000]
    assert rows(harness) == {}


@pytest.mark.parametrize(
    ("every", "kind"),
    [
        (0, ValueError),
        (0.999, ValueError),
        (-5, ValueError),
        (timedelta(milliseconds=999), ValueError),
        (timedelta(days=36_601), ValueError),
        (10**400, ValueError),
        (float("nan"), TypeError),
        (float("inf"), TypeError),
        ("60", TypeError),
        (True, TypeError),
    ],
)
async def test_what_is_no_interval_is_refused(
    harness: ObjectHarness, every: Any, kind: type[Exception]
) -> None:
    def step(lab: Lab) -> None:
        with pytest.raises(kind, match="interval"):
            lab.storage.set_alarm(5, every=every)

    await perform(harness, step)
    assert rows(harness) == {}
