"""What becomes of an alarm whose run fails, whose worker vanishes, or whose object aborts (L)."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from app.core.errors import StoreUnavailable
from app.room import bell
from app.sdk import AlarmInfo
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, change_by_hand, fail, get_alarm, now, row, set_alarm
from tests.unit.room.lab import forget, perform


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}) as opened:
        yield opened


async def set_before_now(harness: ObjectHarness, *, counted: int = 0, uncounted: int = 0) -> None:
    """Set an alarm that has failed so often already, and let it become due."""
    await set_alarm(harness, now(harness) + 1_000)
    await forget(harness)
    change_by_hand(harness, counted_attempts=counted, uncounted_attempts=uncounted)
    await harness.advance(1)


def away(_lab: Alarmed, _info: AlarmInfo) -> None:
    """A run that meets a database that is away."""
    raise StoreUnavailable


async def test_151_a_run_that_raises_is_undone_and_retried_after_doubling_pauses(
    harness: ObjectHarness,
) -> None:
    """A run that raises is retried after 2, 4, 8, 16, 32 and 64 seconds and up to a quarter."""
    begun: list[int] = []

    def write_and_raise(lab: Alarmed, _info: AlarmInfo) -> None:
        begun.append(lab.ctx.now())
        lab.storage.put("key", 1)
        lab.storage.set_alarm(5)
        raise ValueError("the author's")

    Alarmed.on_ring = write_and_raise
    due = now(harness)
    await set_alarm(harness, due)
    await harness.advance(400)
    pauses = [after - before for before, after in itertools.pairwise(begun)]
    assert len(pauses) == 6
    for number, pause in enumerate(pauses):
        shortest = 2_000 * 2**number
        assert shortest <= pause <= shortest * 1.25 + 600, "the harness looks every half second"
    assert [info.retry_count for info in Alarmed.runs] == list(range(7))
    assert {info.scheduled_for for info in Alarmed.runs} == {due}
    assert harness.contents("lab", "a") == {}


async def test_152_after_six_retries_there_is_no_alarm(harness: ObjectHarness) -> None:
    """After six retries that count the alarm is given up: there is none any more."""
    Alarmed.on_ring = fail
    await set_before_now(harness, counted=5)
    await harness.advance(82)
    assert [info.retry_count for info in Alarmed.runs] == [5, 6]
    assert await get_alarm(harness) is None
    assert await perform(harness, lambda lab: lab.storage.list_alarms()) == []
    assert harness.counted["alarms_given_up"] == 1
    await harness.advance(90)
    assert len(Alarmed.runs) == 2


async def test_153_faults_that_are_not_the_authors_are_not_counted_and_never_end(
    harness: ObjectHarness,
) -> None:
    """Faults of the infrastructure use up none of the six retries."""
    Alarmed.on_ring = away
    await set_alarm(harness, 5)
    await harness.advance(700)
    assert len(Alarmed.runs) == 9  # after 2, 4, ... 256 seconds
    assert not any(info.is_retry for info in Alarmed.runs)
    stored = row(harness)
    assert stored is not None
    assert (stored.counted_attempts, stored.uncounted_attempts) == (0, 9)
    assert await get_alarm(harness) == 5


async def test_154_the_first_fault_of_the_author_after_others_is_retried_after_two_seconds(
    harness: ObjectHarness,
) -> None:
    """The first fault of the author after others is retried after two seconds."""
    Alarmed.on_ring = fail
    await set_before_now(harness, uncounted=8)
    stored = row(harness)
    assert stored is not None
    assert (stored.counted_attempts, stored.uncounted_attempts) == (1, 8)
    await harness.advance(3.5)
    assert [info.retry_count for info in Alarmed.runs] == [0, 1]


async def test_155_retries_that_do_not_count_are_at_most_1024_seconds_apart(
    harness: ObjectHarness,
) -> None:
    """Retries that do not count are at most 1,024 seconds apart (and up to a quarter)."""
    Alarmed.on_ring = away
    await set_before_now(harness, uncounted=1_000_000)
    stored = row(harness)
    assert stored is not None
    assert stored.next_attempt_ms is not None
    assert 1_024_000 <= stored.next_attempt_ms - now(harness) <= 1_280_000


async def test_156_between_a_failed_run_and_its_retry_the_alarm_is_still_set(
    harness: ObjectHarness,
) -> None:
    """Between a failed run and its retry the alarm is read as it was set."""
    Alarmed.on_ring = fail
    due = now(harness)
    await set_alarm(harness, due)
    await harness.settle()
    assert len(Alarmed.runs) == 1
    assert await get_alarm(harness) == due


async def test_157_deleting_between_retries_ends_them(harness: ObjectHarness) -> None:
    """Deleting an alarm between retries ends them."""
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
    """An alarm that was set anew while its run failed runs in place of the retry."""
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


async def test_159_a_run_whose_commit_fails_is_run_again(harness: ObjectHarness) -> None:
    """When the last commit of a run fails, the alarm stays and is run again."""

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
    """When the worker dies in a run, the alarm is run again from its beginning."""
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def write_and_wait(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.storage.put("half", 1)
        await gate

    Alarmed.on_ring = write_and_wait
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
        assert [info.retry_count for info in Alarmed.runs] == [0, 0]
        assert second.contents("lab", "a") == {"by": "another"}
    gate.set_result(None)


async def test_168_a_run_that_takes_too_long_is_ended_and_counts(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that takes over 15 minutes is ended, counts as failed, and is retried."""
    assert bell.HANDLER_SECONDS == 15 * 60
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


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("newer", [True, False])
async def test_169_an_object_that_aborts_itself_in_a_run_says_whether_it_is_retried(
    harness: ObjectHarness, *, retry: bool, newer: bool
) -> None:
    """When the object aborts in a run it is retried, or dropped on request; a newer alarm stays."""
    later = now(harness) + 60_000

    async def abort_once(lab: Alarmed, _info: AlarmInfo) -> None:
        if len(Alarmed.runs) == 1:
            lab.storage.put("lost", 1)
            if newer:
                lab.storage.set_alarm(later)
                await lab.storage.sync()
                lab.storage.put("lost too", 1)
            lab.ctx.abort("enough", retry_alarm=retry)

    Alarmed.on_ring = abort_once
    await set_alarm(harness, 5)
    await harness.advance(4)
    if newer:
        assert len(Alarmed.runs) == 1
        assert await get_alarm(harness) == later
        assert harness.contents("lab", "a") == {"lost": 1}
        await harness.advance(60)
        assert [info.scheduled_for for info in Alarmed.runs] == [5, later]
    else:
        assert [info.retry_count for info in Alarmed.runs] == ([0, 1] if retry else [0])
        assert harness.contents("lab", "a") == {}
    assert row(harness) is None


async def test_170_giving_an_alarm_up_leaves_a_newer_one_alone(harness: ObjectHarness) -> None:
    """Giving up an alarm does not touch one that was set anew meanwhile."""
    later = now(harness) + 60_000

    async def set_commit_raise(lab: Alarmed, info: AlarmInfo) -> None:
        if info.scheduled_for != later:
            lab.storage.set_alarm(later)
            await lab.storage.sync()
            raise ValueError("the seventh")

    Alarmed.on_ring = set_commit_raise
    await set_before_now(harness, counted=6)
    assert [info.retry_count for info in Alarmed.runs] == [6]
    assert await get_alarm(harness) == later
    assert harness.counted["alarms_given_up"] == 0
    await harness.advance(61)
    assert [info.retry_count for info in Alarmed.runs] == [6, 0]
