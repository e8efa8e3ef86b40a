"""When an alarm whose run failed is rung next."""

from dataclasses import replace

import pytest

from app.core.values import Alarm, AlarmFailure
from app.room.alarm_attempts import LATEST_MS, RETRIES, after_fault, after_run, after_setback

NOW = 1_700_000_000_000
FAILURE = AlarmFailure(error_class="ValueError", error_text="no", at_ms=NOW)


def alarm(
    *, counted: int = 0, uncounted: int = 0, due_ms: int = 1, every_ms: int | None = None
) -> Alarm:
    return Alarm(
        due_ms=due_ms,
        next_attempt_ms=due_ms,
        counted_attempts=counted,
        uncounted_attempts=uncounted,
        payload=b"p",
        every_ms=every_ms,
    )


@pytest.mark.parametrize(("failed", "seconds"), list(enumerate((2, 4, 8, 16, 32, 64))))
def test_faults_are_retried_after_doubling_pauses_with_a_quarter_of_chance(
    failed: int, seconds: int
) -> None:
    soonest = after_fault(alarm(counted=failed), failure=FAILURE, now_ms=NOW, chance=0.0)
    latest = after_fault(alarm(counted=failed), failure=FAILURE, now_ms=NOW, chance=1.0)
    assert soonest.next_attempt_ms == NOW + seconds * 1000
    assert latest.next_attempt_ms == NOW + seconds * 1250
    assert soonest.counted_attempts == failed + 1


def test_after_the_sixth_retry_an_alarm_is_given_up() -> None:
    given_up = after_fault(alarm(counted=RETRIES), failure=FAILURE, now_ms=NOW, chance=0.5)
    assert given_up.next_attempt_ms is None
    assert given_up.counted_attempts == 7
    assert given_up.failure == FAILURE


def test_setbacks_are_counted_apart_and_retried_for_ever() -> None:
    current = alarm(counted=3)
    pauses = []
    for _ in range(14):
        current = after_setback(current, failure=FAILURE, now_ms=NOW, chance=0.0)
        assert current.next_attempt_ms is not None
        pauses.append((current.next_attempt_ms - NOW) // 1000)
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 1024, 1024]
    assert (current.counted_attempts, current.uncounted_attempts) == (3, 14)


def test_the_first_fault_after_setbacks_is_retried_after_two_seconds() -> None:
    following = after_fault(alarm(uncounted=9), failure=FAILURE, now_ms=NOW, chance=0.0)
    assert following.next_attempt_ms == NOW + 2000


def test_what_the_author_set_is_kept() -> None:
    for following in (
        after_fault(alarm(every_ms=9), failure=FAILURE, now_ms=NOW, chance=0.0),
        after_setback(alarm(every_ms=9), failure=FAILURE, now_ms=NOW, chance=0.0),
    ):
        assert (following.due_ms, following.payload, following.every_ms) == (1, b"p", 9)


def test_a_run_that_ended_well_ends_a_single_alarm() -> None:
    assert after_run(alarm(counted=3), now_ms=NOW) is None


@pytest.mark.parametrize(
    ("late_ms", "periods"),
    [
        (0, 1),
        (1, 1),
        (999, 1),
        (1_000, 2),
        (1_001, 2),
        (1_999, 2),
        (2_000, 3),
        (86_400_000, 86_401),
    ],
)
def test_a_series_goes_on_with_the_first_of_its_times_that_has_not_come_yet(
    late_ms: int, periods: int
) -> None:
    following = after_run(
        alarm(due_ms=NOW, every_ms=1_000, counted=2, uncounted=2), now_ms=NOW + late_ms
    )
    due_ms = NOW + 1_000 * periods
    assert following == alarm(due_ms=due_ms, every_ms=1_000)


def test_a_series_whose_clock_is_behind_goes_on_all_the_same() -> None:
    following = after_run(alarm(due_ms=NOW, every_ms=1_000), now_ms=NOW - 5_000)
    assert following is not None
    assert following.due_ms == NOW + 1_000


def test_a_series_ends_with_time() -> None:
    last = alarm(due_ms=LATEST_MS - 999, every_ms=1_000)
    assert after_run(last, now_ms=LATEST_MS - 999) is None
    given_up = after_fault(
        replace(last, counted_attempts=RETRIES),
        failure=FAILURE,
        now_ms=LATEST_MS - 999,
        chance=0.0,
    )
    assert given_up.next_attempt_ms is None


def test_after_the_sixth_retry_a_series_goes_on_and_keeps_what_came_of_it() -> None:
    current = alarm(due_ms=NOW, every_ms=10_000)
    for number in range(1, RETRIES + 1):
        current = after_fault(current, failure=FAILURE, now_ms=NOW + 126_001, chance=0.0)
        assert (current.due_ms, current.counted_attempts) == (NOW, number)
    current = after_fault(current, failure=FAILURE, now_ms=NOW + 126_001, chance=0.0)
    assert current == replace(alarm(due_ms=NOW + 130_000, every_ms=10_000), failure=FAILURE)
