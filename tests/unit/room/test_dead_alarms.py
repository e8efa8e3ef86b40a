"""Alarms that were given up: kept with their error, retried, forgotten, and no more than a few."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from app.core.limits import ALARM_ERROR_CHARACTERS, ALARMS, DEAD_ALARMS
from app.core.values import Alarm, AlarmFailure
from app.room.expiry import EXPIRY_ALARM
from app.sdk import AlarmInfo, DeadAlarm
from app.testing.harness import ObjectHarness
from app.testing.memory_database import MemoryAlarm
from tests.unit.room.alarmed import Alarmed, fail, now, rows
from tests.unit.room.lab import Lab, forget, perform


class Unspeakable(Exception):
    """An author's exception that cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}) as opened:
        yield opened


def plant(harness: ObjectHarness, alarms: dict[str, Alarm]) -> None:
    """Alarms as if they had been committed before."""
    found = harness.database.objects[harness.object_id("lab", "a").uuid]
    found.alarms.update({name: MemoryAlarm(alarm) for name, alarm in alarms.items()})


async def nearly_dead(harness: ObjectHarness, name: str = "job") -> int:
    """Set an alarm whose next failure is the last; returns its time."""
    due = now(harness) + 1_000
    await perform(harness, lambda lab: lab.storage.set_alarm(due, name=name, payload={"n": 1}))
    await forget(harness)
    plant(harness, {name: replace(rows(harness)[name], counted_attempts=6)})
    return due


async def dead(harness: ObjectHarness) -> list[DeadAlarm]:
    found: list[DeadAlarm] = await perform(harness, lambda lab: lab.storage.dead_alarms())
    return found


async def test_what_is_given_up_is_kept_with_its_error(harness: ObjectHarness) -> None:
    due = await nearly_dead(harness)
    Alarmed.on_ring = fail
    with capture_logs() as logs:
        await harness.advance(1)
    (told,) = [log for log in logs if log["event"] == "alarm_given_up"]
    assert (told["alarm"], told["attempts"], told["goes_on"]) == ("job", 7, False)
    assert "the author's" not in str(told), "what an error says may be a secret"
    died = now(harness)
    failure = AlarmFailure(error_class="ValueError", error_text="the author's", at_ms=died)
    letter = DeadAlarm(name="job", scheduled_for=due, payload={"n": 1}, runs=7, failure=failure)
    assert await dead(harness) == [letter]
    await forget(harness)
    assert await dead(harness) == [letter]
    assert await perform(harness, lambda lab: lab.storage.get_alarm("job")) is None
    assert await perform(harness, lambda lab: lab.storage.list_alarms()) == []


async def test_a_dead_letter_that_is_retried_runs_at_once_as_if_it_had_never_failed(
    harness: ObjectHarness,
) -> None:
    due = await nearly_dead(harness)
    Alarmed.on_ring = fail
    await harness.advance(1)
    Alarmed.reset()

    async def retry(lab: Lab) -> list[bool]:
        storage = lab.storage
        return [await storage.retry_dead_alarm("job"), await storage.retry_dead_alarm("job")]

    assert await perform(harness, retry) == [True, False]
    await harness.settle()
    assert Alarmed.runs == [AlarmInfo(scheduled_for=due, name="job", payload={"n": 1})]
    assert rows(harness) == {}


async def test_a_retry_need_not_be_awaited_and_may_die_again(harness: ObjectHarness) -> None:
    await nearly_dead(harness)
    Alarmed.on_ring = fail
    await harness.advance(1)

    def retry(lab: Lab) -> None:
        lab.storage.retry_dead_alarm("job")

    await perform(harness, retry)
    await harness.advance(200)
    assert [info.retry_count for info in Alarmed.runs] == [6, *range(7)]
    assert [letter.runs for letter in await dead(harness)] == [7]


async def test_a_dead_letter_can_be_forgotten(harness: ObjectHarness) -> None:
    await nearly_dead(harness)
    Alarmed.on_ring = fail
    await harness.advance(1)

    async def forget_it(lab: Lab) -> list[bool]:
        storage = lab.storage
        return [await storage.forget_dead_alarm("job"), await storage.forget_dead_alarm("job")]

    assert await perform(harness, forget_it) == [True, False]
    assert rows(harness) == {}


async def test_deleting_leaves_a_dead_letter_and_setting_replaces_it(
    harness: ObjectHarness,
) -> None:
    await nearly_dead(harness)
    Alarmed.on_ring = fail
    await harness.advance(1)
    await perform(harness, lambda lab: lab.storage.delete_alarm("job"))
    assert len(await dead(harness)) == 1
    due = now(harness) + 60_000
    await perform(harness, lambda lab: lab.storage.set_alarm(due, name="job"))
    assert await dead(harness) == []
    assert rows(harness)["job"] == Alarm(due_ms=due, next_attempt_ms=due)


async def test_what_is_set_is_no_dead_letter(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> list[bool]:
        storage = lab.storage
        storage.set_alarm(now(harness) + 60_000, name="job")
        return [await storage.retry_dead_alarm("job"), await storage.forget_dead_alarm("job")]

    assert await perform(harness, step) == [False, False]
    assert set(rows(harness)) == {"job"}


async def test_the_longest_dead_are_dropped_when_there_are_too_many(
    harness: ObjectHarness,
) -> None:
    await nearly_dead(harness)
    letters = {
        f"{number}": Alarm(
            due_ms=1,
            next_attempt_ms=None,
            failure=AlarmFailure(error_class="E", error_text="", at_ms=1_000 - number),
        )
        for number in range(DEAD_ALARMS)
    }
    plant(harness, letters)
    Alarmed.on_ring = fail
    with capture_logs() as logs:
        await harness.advance(1)
    oldest = f"{DEAD_ALARMS - 1}"
    (told,) = [log for log in logs if log["event"] == "dead_alarm_dropped"]
    assert (told["alarm"], told["object"]) == (oldest, "a")
    kept = [letter.name for letter in await dead(harness)]
    assert kept == [*(f"{number}" for number in range(DEAD_ALARMS - 2, -1, -1)), "job"]
    assert len(rows(harness)) == DEAD_ALARMS


async def test_dead_letters_take_no_places_of_alarms_that_are_set(harness: ObjectHarness) -> None:
    await nearly_dead(harness)
    Alarmed.on_ring = fail
    await harness.advance(1)
    due = now(harness) + 60_000

    def fill(lab: Lab) -> None:
        for number in range(ALARMS):
            lab.storage.set_alarm(due, name=f"{number}")

    await perform(harness, fill)
    assert len(await dead(harness)) == 1

    def retry(lab: Lab) -> None:
        with pytest.raises(Exception, match="1000 alarms"):
            lab.storage.retry_dead_alarm("job")

    await perform(harness, retry)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("x" * 10_000), "x" * ALARM_ERROR_CHARACTERS),
        (ValueError("a\0b \ud800"), "a\ufffdb ?"),
        (Unspeakable(), ""),
    ],
)
async def test_what_an_error_says_is_cut_and_made_storable(
    harness: ObjectHarness, error: Exception, text: str
) -> None:
    def raise_it(_lab: Alarmed, _info: AlarmInfo) -> None:
        raise error

    await nearly_dead(harness)
    Alarmed.on_ring = raise_it
    await harness.advance(1)
    (letter,) = await dead(harness)
    assert (letter.failure.error_class, letter.failure.error_text) == (type(error).__name__, text)


async def test_an_object_that_cannot_start_is_told_by_its_own_error(harness: ObjectHarness) -> None:
    await nearly_dead(harness)
    Alarmed.starting = lambda: int("no number")
    await harness.advance(1)
    Alarmed.starting = None
    (letter,) = await dead(harness)
    assert letter.failure.error_class == "ValueError"
    assert "no number" in letter.failure.error_text


async def test_what_an_older_release_has_given_up_is_a_dead_letter_too(
    harness: ObjectHarness,
) -> None:
    await perform(harness, lambda lab: lab.storage.put("key", 1))
    await forget(harness)
    plant(harness, {"": Alarm(due_ms=7, next_attempt_ms=None, counted_attempts=7)})
    (letter,) = await dead(harness)
    assert (letter.scheduled_for, letter.failure.error_class) == (7, "")


async def test_delete_all_forgets_dead_letters(harness: ObjectHarness) -> None:
    await nearly_dead(harness)
    Alarmed.on_ring = fail
    await harness.advance(1)
    await perform(harness, lambda lab: lab.storage.delete_all())
    assert await dead(harness) == []
    assert rows(harness) == {}


async def test_the_alarm_that_removes_expired_rows_is_never_given_up(
    harness: ObjectHarness,
) -> None:
    await perform(harness, lambda lab: lab.storage.put("key", 1, expires_at=now(harness) + 1_000))
    await forget(harness)
    Alarmed.starting = lambda: int("no number")
    await harness.advance(600)
    assert rows(harness)[EXPIRY_ALARM].next_attempt_ms is not None
    assert harness.counted["alarms_given_up"] == 0
    Alarmed.starting = None
    await harness.advance(150)
    assert rows(harness) == {}
    assert harness.contents("lab", "a") == {}
