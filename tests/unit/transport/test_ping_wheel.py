"""The wheel that looks after every socket of a worker by one timer."""

from app.testing.clock import FakeClock
from app.transport.ping_wheel import PingWheel


class Somebody:
    """Wants to be looked at again and again, or is over after some looks."""

    def __init__(self, clock: FakeClock, *answers: float | None) -> None:
        self.slot = 0
        self.looks: list[float] = []
        self._clock = clock
        self._answers = list(answers)

    def look(self) -> float | None:
        self.looks.append(self._clock.monotonic())
        return self._answers.pop(0) if self._answers else None


def test_everybody_is_looked_at_when_they_said_within_one_part_in_32() -> None:
    clock = FakeClock(start=0.0)
    wheel = PingWheel(clock, 20.0)
    one, other = Somebody(clock, 20.0, 20.0, None), Somebody(clock, 5.0, None)
    wheel.add(one, 20.0)
    wheel.add(other, 20.0)
    clock.advance(100)
    assert [round(at) for at in one.looks] == [20, 40, 60]
    assert [round(at) for at in other.looks] == [20, 25]
    assert len(wheel) == 0


def test_one_timer_serves_all_and_none_runs_for_nobody() -> None:
    clock = FakeClock()
    wheel = PingWheel(clock, 20.0)
    everybody = [Somebody(clock, 20.0, None) for _ in range(1_000)]
    for each in everybody:
        wheel.add(each, 20.0)
    assert clock.pending == 1
    clock.advance(20)
    assert clock.pending == 1
    clock.advance(30)
    assert clock.pending == 0
    assert all(len(each.looks) == 2 for each in everybody)


def test_a_crowd_in_one_slot_is_looked_at_in_portions_and_may_leave_meanwhile() -> None:
    clock = FakeClock()
    wheel = PingWheel(clock, 20.0)
    everybody = [Somebody(clock) for _ in range(1_000)]
    for each in everybody:
        wheel.add(each, 20.0)
    seen: list[int] = []
    real = clock.call_later

    def watched(seconds: float, callback: object) -> object:
        seen.append(sum(bool(each.looks) for each in everybody))
        if seen[-1] == 200:
            for each in everybody:
                wheel.remove(each)
        return real(seconds, callback)  # type: ignore[arg-type]  # handed on

    clock.call_later = watched  # type: ignore[assignment,method-assign]  # counts portions
    clock.advance(25)
    assert max(seen) == 200
    assert sum(len(each.looks) for each in everybody) == 200
    assert len(wheel) == 0


def test_who_left_is_not_looked_at_and_leaving_twice_is_harmless() -> None:
    clock = FakeClock()
    wheel = PingWheel(clock, 20.0)
    gone = Somebody(clock, 20.0)
    wheel.add(gone, 20.0)
    wheel.remove(gone)
    wheel.remove(gone)
    clock.advance(100)
    assert gone.looks == []
    assert len(wheel) == 0


def test_a_wait_beyond_the_wheel_is_looked_at_early() -> None:
    clock = FakeClock(start=0.0)
    wheel = PingWheel(clock, 1.0)
    patient = Somebody(clock, None)
    wheel.add(patient, 1_000.0)
    clock.advance(1_000)
    assert len(patient.looks) == 1
    assert patient.looks[0] < 10
