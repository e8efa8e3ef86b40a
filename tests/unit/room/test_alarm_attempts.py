"""When an alarm whose run failed is rung next."""

import pytest

from app.core.values import Alarm
from app.room.alarm_attempts import RETRIES, after_fault, after_setback

NOW = 1_700_000_000_000


def alarm(*, counted: int = 0, uncounted: int = 0) -> Alarm:
    return Alarm(
        due_ms=1,
        next_attempt_ms=1,
        counted_attempts=counted,
        uncounted_attempts=uncounted,
        payload=b"p",
        every_ms=9,
    )


@pytest.mark.parametrize(("failed", "seconds"), list(enumerate((2, 4, 8, 16, 32, 64))))
def test_faults_are_retried_after_doubling_pauses_with_a_quarter_of_chance(
    failed: int, seconds: int
) -> None:
    soonest = after_fault(alarm(counted=failed), now_ms=NOW, chance=0.0)
    latest = after_fault(alarm(counted=failed), now_ms=NOW, chance=1.0)
    assert soonest.next_attempt_ms == NOW + seconds * 1000
    assert latest.next_attempt_ms == NOW + seconds * 1250
    assert soonest.counted_attempts == failed + 1


def test_after_the_sixth_retry_an_alarm_is_given_up() -> None:
    given_up = after_fault(alarm(counted=RETRIES), now_ms=NOW, chance=0.5)
    assert given_up.next_attempt_ms is None
    assert given_up.counted_attempts == 7


def test_setbacks_are_counted_apart_and_retried_for_ever() -> None:
    current = alarm(counted=3)
    pauses = []
    for _ in range(14):
        current = after_setback(current, now_ms=NOW, chance=0.0)
        assert current.next_attempt_ms is not None
        pauses.append((current.next_attempt_ms - NOW) // 1000)
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 1024, 1024]
    assert (current.counted_attempts, current.uncounted_attempts) == (3, 14)


def test_the_first_fault_after_setbacks_is_retried_after_two_seconds() -> None:
    following = after_fault(alarm(uncounted=9), now_ms=NOW, chance=0.0)
    assert following.next_attempt_ms == NOW + 2000


def test_what_the_author_set_is_kept() -> None:
    for following in (
        after_fault(alarm(), now_ms=NOW, chance=0.0),
        after_setback(alarm(), now_ms=NOW, chance=0.0),
    ):
        assert (following.due_ms, following.payload, following.every_ms) == (1, b"p", 9)
