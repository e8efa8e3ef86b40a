"""What is measured of commits, group by group."""

import pytest

from app.core.metrics import Spread
from app.core.values import CommitResult
from app.store.commit_meter import CommitMeter
from app.store.commit_statement import Flight
from app.testing.clock import FakeClock
from tests.unit.store.test_commit_statement import flight as empty_flight


def flight(size_bytes: int) -> Flight:
    made = empty_flight("a", {})
    return Flight(made.source, made.batch._replace(size_bytes=size_bytes))


def totals(meter: CommitMeter) -> dict[str, float]:
    """The sum and the number of each histogram."""
    return {
        reading.metric: reading.value.total
        for reading in meter.read()
        if isinstance(reading.value, Spread)
    }


def test_the_gate_is_waited_for_from_the_first_batch_to_the_answer() -> None:
    clock = FakeClock()
    meter = CommitMeter(clock)
    meter.waiting()
    clock.advance(2.0)
    meter.launched([flight(100), flight(50)], more=False)
    clock.advance(4.0)
    meter.landed()
    assert totals(meter) == {
        "gate_wait_seconds": 6.0,
        "commit_seconds": 4.0,
        "commit_group_rooms": 2.0,
        "commit_group_bytes": 150.0,
    }


def test_what_a_group_leaves_behind_waits_from_then_on() -> None:
    clock = FakeClock()
    meter = CommitMeter(clock)
    meter.waiting()
    meter.launched([flight(1)], more=True)
    clock.advance(3.0)
    meter.landed()
    meter.launched([flight(1)], more=False)
    clock.advance(2.0)
    meter.landed()
    assert totals(meter)["gate_wait_seconds"] == pytest.approx(3.0 + 5.0)


def test_who_waited_and_had_nothing_to_commit_makes_nobody_seem_to_wait() -> None:
    clock = FakeClock()
    meter = CommitMeter(clock)
    meter.waiting()
    clock.advance(60.0)
    meter.waiting()
    meter.launched([flight(1)], more=False)
    meter.landed()
    assert totals(meter)["gate_wait_seconds"] == 0.0


def test_batches_are_counted_by_what_came_of_them() -> None:
    meter = CommitMeter(FakeClock())
    meter.committed += 2
    meter.ended(CommitResult.LOST)
    counts = {each.labels: each.value for each in meter.read() if each.metric == "commits"}
    assert counts == {("committed",): 2, ("lost",): 1}
