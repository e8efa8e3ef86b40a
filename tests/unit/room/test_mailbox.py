"""Where events wait: order and bounds."""

import pytest

from app.core.errors import Overloaded, QueueFull, QueueTooLarge
from app.room.mailbox import Event, Mailbox


def _event(size_bytes: int = 0) -> Event:
    return Event(lambda _instance: None, size_bytes=size_bytes, fail=lambda _error: None)


def _mailbox(*, events: int = 4, size_bytes: int = 100) -> Mailbox:
    return Mailbox(limit_events=events, limit_bytes=size_bytes)


def test_35_events_come_out_in_the_order_they_went_in() -> None:
    mailbox = _mailbox()
    events = [_event() for _ in range(3)]
    for event in events:
        mailbox.put(event)
    assert len(mailbox) == 3
    assert [mailbox.take() for _ in range(3)] == events
    assert not mailbox


def test_sockets_stop_at_the_mark_and_go_on_at_half_of_it() -> None:
    mailbox = _mailbox(events=4)
    over = []
    for _ in range(4):
        mailbox.put(_event())
        over.append(mailbox.over_high_water)
    assert over == [False, False, False, True]
    under = []
    for _ in range(3):
        mailbox.take()
        under.append(mailbox.under_low_water)
    assert under == [False, True, True]


def test_bytes_count_like_events_do() -> None:
    mailbox = _mailbox(size_bytes=100)
    over = []
    for size in (99, 1):
        mailbox.put(_event(size))
        over.append(mailbox.over_high_water)
    assert over == [False, True]
    mailbox.take()
    assert mailbox.under_low_water


@pytest.mark.parametrize(
    ("events", "size_bytes", "refusal"), [(2, 1000, QueueFull), (1000, 2, QueueTooLarge)]
)
def test_beyond_twice_the_mark_an_event_is_refused(
    events: int, size_bytes: int, refusal: type[Overloaded]
) -> None:
    mailbox = _mailbox(events=events, size_bytes=size_bytes)
    for _ in range(4):
        mailbox.put(_event(1))
    with pytest.raises(refusal, match=r"4 (events|bytes) wait"):
        mailbox.put(_event(1))
    assert len(mailbox) == 4


def test_what_must_be_told_once_a_connection_is_taken_whatever_the_bounds_say() -> None:
    mailbox = _mailbox(events=1)
    for _ in range(2):
        mailbox.put(_event())
    mailbox.put(_event(), always=True)
    assert len(mailbox) == 3


def test_draining_gives_everything_and_leaves_room() -> None:
    mailbox = _mailbox(events=1, size_bytes=1)
    events = [_event(1), _event(1)]
    for event in events:
        mailbox.put(event)
    assert mailbox.drain() == events
    assert mailbox.under_low_water
    assert len(mailbox) == 0
    mailbox.put(_event(1))
