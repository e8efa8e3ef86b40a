"""Lease arithmetic: a lease ends once."""

import pytest

from app.cluster.lease import LeaseState, WorkerLease
from app.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lease(clock: FakeClock) -> WorkerLease:
    return WorkerLease(clock, lease_seconds=10.0)


def _state(lease: WorkerLease) -> LeaseState:
    return lease.state


def test_before_the_first_grant_nothing_holds(lease: WorkerLease) -> None:
    assert not lease.holds()
    assert lease.margin_seconds == 0.0
    assert _state(lease) is LeaseState.NONE


def test_the_worker_falls_silent_a_margin_before_the_database_does(
    clock: FakeClock, lease: WorkerLease
) -> None:
    assert lease.granted(asked_at=clock.monotonic())
    clock.advance(8.99)
    assert lease.holds()
    assert lease.margin_seconds == pytest.approx(0.01)
    clock.advance(0.01)
    assert not lease.holds()
    assert lease.margin_seconds == 0.0


def test_the_deadline_counts_from_before_the_question_was_asked(
    clock: FakeClock, lease: WorkerLease
) -> None:
    asked_at = clock.monotonic()
    clock.advance(5.0)
    assert lease.granted(asked_at=asked_at)
    assert lease.margin_seconds == pytest.approx(4.0)


def test_a_renewal_extends_it(clock: FakeClock, lease: WorkerLease) -> None:
    lease.granted(asked_at=clock.monotonic())
    for _ in range(5):
        clock.advance(5.0)
        assert lease.granted(asked_at=clock.monotonic())
    assert lease.margin_seconds == pytest.approx(9.0)


def test_an_answer_that_overtook_another_does_not_shorten_it(
    clock: FakeClock, lease: WorkerLease
) -> None:
    early = clock.monotonic()
    clock.advance(3.0)
    lease.granted(asked_at=clock.monotonic())
    lease.granted(asked_at=early)
    assert lease.margin_seconds == pytest.approx(9.0)


def test_a_grant_that_comes_too_late_does_not_revive_it(
    clock: FakeClock, lease: WorkerLease
) -> None:
    lease.granted(asked_at=clock.monotonic())
    clock.advance(9.0)
    assert not lease.granted(asked_at=clock.monotonic()), "nobody had even asked"
    assert not lease.granted(asked_at=clock.monotonic() + 100.0)
    assert _state(lease) is LeaseState.ENDED


def test_a_first_grant_that_comes_too_late_never_begins_it(
    clock: FakeClock, lease: WorkerLease
) -> None:
    asked_at = clock.monotonic()
    clock.advance(9.0)
    assert not lease.granted(asked_at=asked_at)
    assert _state(lease) is LeaseState.ENDED


def test_once_it_has_said_no_it_never_says_yes_again(clock: FakeClock, lease: WorkerLease) -> None:
    lease.granted(asked_at=clock.monotonic())
    lease.end()
    assert not lease.holds()
    assert not lease.granted(asked_at=clock.monotonic())
    assert not lease.holds()
