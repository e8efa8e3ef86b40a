"""A socket whose handshake is not over."""

from collections.abc import Callable

import pytest

from app.core.frames import OutgoingMessage
from app.testing.sockets import MemorySocket
from app.web.held import HeldTransport


def test_what_is_said_waits_for_the_handshake_in_order_and_then_goes_at_once() -> None:
    socket = MemorySocket()
    held = HeldTransport()
    held.send([OutgoingMessage("one"), OutgoingMessage("two")])
    held.send([OutgoingMessage("three")])
    assert socket.received == []
    held.release(socket)
    assert socket.received == ["one", "two", "three"]
    held.send([OutgoingMessage("four")])
    assert socket.received[-1] == "four"


def test_what_is_held_counts_as_unsent_until_it_is_released() -> None:
    socket = MemorySocket()
    held = HeldTransport()
    held.send([OutgoingMessage("x" * 100), OutgoingMessage("x" * 20)])
    assert held.buffered_bytes == 120
    held.release(socket)
    assert held.buffered_bytes == socket.buffered_bytes == 0


@pytest.mark.parametrize(
    ("end", "done"),
    [
        (lambda held: held.close(4000, "bye"), lambda socket: socket.closed == (4000, "bye")),
        (lambda held: held.let_go(1012, "away"), lambda socket: socket.let_go_by_object),
        (lambda held: held.abort(), lambda socket: socket.aborted),
        (lambda held: held.pause_reading(), lambda socket: not socket.reading),
    ],
)
def test_an_end_waits_behind_what_was_said(
    end: Callable[[HeldTransport], None], done: Callable[[MemorySocket], bool]
) -> None:
    socket = MemorySocket()
    held = HeldTransport()
    held.send([OutgoingMessage("last")])
    end(held)
    assert not done(socket)
    held.release(socket)
    assert socket.received == ["last"]
    assert done(socket)
