"""What may come into a room: requests in ten seconds, and how long an event is good for."""

import pytest

from app.core.errors import TooManyRequests
from app.room.admission import RequestRate


def _counted(rate: RequestRate, now: float, times: int) -> int:
    taken = 0
    for _ in range(times):
        try:
            rate.count(now)
        except TooManyRequests:
            continue
        taken += 1
    return taken


def test_so_many_requests_are_taken_and_the_next_is_refused() -> None:
    rate = RequestRate(3)
    assert _counted(rate, 5000.0, 10) == 3
    with pytest.raises(TooManyRequests, match="3 requests"):
        rate.count(5000.0)


def test_in_no_ten_seconds_are_more_taken_than_the_limit() -> None:
    rate, limit = RequestRate(7), 7
    taken: list[float] = []
    for step in range(600):
        now = 1000.0 + step * 0.31
        taken += [now] * _counted(rate, now, 1 + step % 3)
    for first in taken:
        assert sum(first <= each < first + 9 for each in taken) <= limit


def test_room_is_free_again_after_ten_seconds_and_what_was_refused_did_not_count() -> None:
    rate = RequestRate(2)
    assert _counted(rate, 100.0, 50) == 2
    assert _counted(rate, 109.9, 50) == 0
    assert _counted(rate, 110.0, 50) == 2


def test_a_long_silence_costs_nothing_and_forgets_everything() -> None:
    rate = RequestRate(2)
    rate.count(100.0)
    assert _counted(rate, 10_000_000.0, 50) == 2
