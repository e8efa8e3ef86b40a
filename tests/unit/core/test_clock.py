"""Clocks: the machine's, the database's as a worker knows it."""

import asyncio

from app.core.clock import DatabaseClock, SystemClock
from app.testing.clock import FakeClock


def test_before_the_first_sample_the_databases_time_is_not_known() -> None:
    clock = DatabaseClock(FakeClock())
    assert not clock.known
    assert clock.now_ms() == 0


def test_a_sample_counts_for_the_middle_of_its_round_trip() -> None:
    fake = FakeClock(start=100.0)
    clock = DatabaseClock(fake)
    clock.sample(database_ms=5_000_000, sent=99.0, received=100.0)
    assert clock.known
    assert clock.now_ms() == 5_000_500
    fake.advance(1.5)
    assert clock.now_ms() == 5_002_000


def test_a_database_clock_that_is_set_forward_is_followed() -> None:
    fake = FakeClock(start=100.0)
    clock = DatabaseClock(fake)
    clock.sample(database_ms=1_000, sent=100.0, received=100.0)
    clock.sample(database_ms=9_000, sent=100.0, received=100.0)
    assert clock.now_ms() == 9_000


def test_time_never_goes_back_whatever_the_samples_say() -> None:
    fake = FakeClock(start=100.0)
    clock = DatabaseClock(fake)
    clock.sample(database_ms=9_000, sent=100.0, received=100.0)
    assert clock.now_ms() == 9_000
    clock.sample(database_ms=1_000, sent=100.0, received=100.0)
    assert clock.now_ms() == 9_000
    fake.advance(7.0)
    assert clock.now_ms() == 9_000
    fake.advance(2.0)
    assert clock.now_ms() == 10_000


def test_a_worker_whose_own_clock_is_wrong_changes_nothing() -> None:
    for start in (0.0, 1e9):
        clock = DatabaseClock(FakeClock(start=start))
        clock.sample(database_ms=5_000, sent=start, received=start)
        assert clock.now_ms() == 5_000


def test_the_machines_clock_goes_forward() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first > 0.0


async def test_the_machines_clock_wakes_and_calls() -> None:
    clock = SystemClock()
    await clock.sleep(0)
    called: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    cancelled = clock.call_later(0, lambda: called.set_result("wrong"))
    cancelled.cancel()
    clock.call_later(0, lambda: called.set_result("right"))
    assert await called == "right"
