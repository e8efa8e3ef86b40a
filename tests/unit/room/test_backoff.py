"""How long a faulty object waits before it is started again."""

import pytest

from app.room.backoff import FaultBackoff


def test_without_a_fault_a_start_does_not_wait() -> None:
    assert FaultBackoff().wait_seconds(0.0) == 0.0


def test_the_first_fault_costs_no_wait() -> None:
    backoff = FaultBackoff()
    backoff.fault(100.0)
    assert backoff.wait_seconds(100.0) == 0.0


def test_faults_that_follow_one_another_double_the_wait_up_to_five_seconds() -> None:
    backoff = FaultBackoff()
    waits = []
    for _ in range(12):
        backoff.fault(100.0)
        waits.append(backoff.wait_seconds(100.0))
    assert waits[:4] == pytest.approx([0.0, 0.05, 0.1, 0.2])
    assert waits[-1] == 5.0


def test_the_wait_counts_from_the_latest_fault() -> None:
    backoff = FaultBackoff()
    for _ in range(12):
        backoff.fault(100.0)
    assert backoff.wait_seconds(103.0) == 2.0
    assert backoff.wait_seconds(105.5) == 0.0


def test_half_a_minute_without_a_fault_forgets_the_earlier_ones() -> None:
    backoff = FaultBackoff()
    for _ in range(5):
        backoff.fault(100.0)
    backoff.fault(130.0)
    assert backoff.wait_seconds(130.0) > 0.0, "exactly half a minute is not yet over it"
    backoff.fault(160.5)
    assert backoff.wait_seconds(160.5) == 0.0


def test_a_loop_that_goes_on_for_days_waits_no_longer_than_the_longest() -> None:
    backoff = FaultBackoff()
    now = 0.0
    for _ in range(5_000):
        backoff.fault(now)
        now += backoff.wait_seconds(now)
    backoff.fault(now)
    assert backoff.wait_seconds(now) == 5
