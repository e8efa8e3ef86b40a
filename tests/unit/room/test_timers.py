"""Timers of one instance."""

from app.room.timers import InstanceTimers
from app.testing.clock import FakeClock


def test_a_timer_fires_once_at_its_time() -> None:
    clock = FakeClock()
    timers = InstanceTimers(clock)
    fired: list[float] = []
    timers.add(2.0, lambda: fired.append(clock.monotonic()))
    clock.advance(1.9)
    assert fired == []
    assert len(timers) == 1
    clock.advance(10.0)
    assert fired == [1_002.0]
    assert len(timers) == 0


def test_a_cancelled_timer_never_fires_and_is_pending_no_more() -> None:
    clock = FakeClock()
    timers = InstanceTimers(clock)
    fired: list[str] = []
    timer = timers.add(1.0, lambda: fired.append("x"))
    timer.cancel()
    timer.cancel()
    assert len(timers) == 0
    clock.advance(5.0)
    assert fired == []


def test_cancelling_after_it_fired_is_harmless() -> None:
    clock = FakeClock()
    timers = InstanceTimers(clock)
    timer = timers.add(1.0, lambda: None)
    clock.advance(1.0)
    timer.cancel()
    assert len(timers) == 0


def test_a_time_in_the_past_means_at_once() -> None:
    clock = FakeClock()
    timers = InstanceTimers(clock)
    fired: list[str] = []
    timers.add(-5.0, lambda: fired.append("x"))
    clock.advance(0.0)
    assert fired == ["x"]


def test_dropping_the_instance_forgets_all_its_timers() -> None:
    clock = FakeClock()
    timers = InstanceTimers(clock)
    fired: list[int] = []
    for number in range(3):
        timers.add(1.0, lambda number=number: fired.append(number))  # type: ignore[misc]  # bound early
    timers.cancel_all()
    clock.advance(5.0)
    assert fired == []
    assert clock.pending == 0
