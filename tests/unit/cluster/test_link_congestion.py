"""A link whose connection is full: what is large waits its turn, what is little goes through."""

import pytest

from app.cluster import link_protocol
from app.cluster.link_frames import FrameKind, encode_frame
from app.cluster.link_protocol import WINDOW_BYTES, LinkProtocol, Told
from app.core.errors import LinkGarbled, Overloaded
from tests.unit.cluster.test_link_protocol import exchange, ready_pair


def told(protocol: LinkProtocol, data: bytes) -> list[tuple[FrameKind, int]]:
    """What arrives at the other side."""
    events = protocol.receive(data)
    return [(event.kind, event.stream) for event in events if isinstance(event, Told)]


def opened(protocol: LinkProtocol, other: LinkProtocol, count: int) -> list[int]:
    streams = [protocol.new_stream() for _ in range(count)]
    for stream in streams:
        protocol.tell(FrameKind.OPEN, stream, {})
    exchange(protocol, other)
    return streams


def test_while_the_connection_is_full_messages_wait_and_control_goes_through() -> None:
    dialer, acceptor = ready_pair()
    one, other = opened(dialer, acceptor, 2)
    dialer.hold()
    dialer.tell(FrameKind.TEXT, one, body=b"x" * 100)
    dialer.tell(FrameKind.END, other, {"code": 1000})
    dialer.ping()
    assert told(acceptor, dialer.take()) == [(FrameKind.END, other)]
    assert dialer.queued_bytes == dialer.waiting_bytes(one) == 100
    assert dialer.go_on(1000)
    assert told(acceptor, dialer.take()) == [(FrameKind.TEXT, one)]
    assert dialer.queued_bytes == 0


def test_what_waited_goes_out_in_turns_and_the_order_of_each_stream_is_kept() -> None:
    dialer, acceptor = ready_pair()
    streams = opened(dialer, acceptor, 3)
    dialer.hold()
    for stream in streams:
        for _ in range(2):
            dialer.tell(FrameKind.TEXT, stream, body=bytes(bytearray(1000)))
        dialer.tell(FrameKind.END, stream, {"code": 1000})
    arrived = []
    while not dialer.go_on(1000):
        arrived += told(acceptor, dialer.take())
    arrived += told(acceptor, dialer.take())
    assert [stream for _, stream in arrived[:3]] == streams, "each has its turn"
    for stream in streams:
        kinds = [kind for kind, each in arrived if each == stream]
        assert kinds == [FrameKind.TEXT, FrameKind.TEXT, FrameKind.END]


def test_a_budget_is_kept_but_for_the_last_frame() -> None:
    dialer, acceptor = ready_pair()
    streams = opened(dialer, acceptor, 10)
    dialer.hold()
    for stream in streams:
        dialer.tell(FrameKind.TEXT, stream, body=bytes(bytearray(1000)))
    assert not dialer.go_on(2500)
    assert len(told(acceptor, dialer.take())) == 3


def test_credit_that_comes_while_the_connection_is_full_does_not_let_anything_pass() -> None:
    dialer, acceptor = ready_pair()
    (stream,) = opened(dialer, acceptor, 1)
    dialer.tell(FrameKind.TEXT, stream, body=bytes(WINDOW_BYTES))
    dialer.tell(FrameKind.TEXT, stream, body=b"waits for credit")
    exchange(dialer, acceptor)
    dialer.hold()
    acceptor.returned(stream, WINDOW_BYTES)
    dialer.receive(acceptor.take())
    assert dialer.take() == b""
    assert dialer.go_on(1)
    assert told(acceptor, dialer.take()) == [(FrameKind.TEXT, stream)]


def test_what_waits_on_a_stream_that_ends_or_hurries_is_no_longer_counted() -> None:
    dialer, acceptor = ready_pair()
    ended, hurried = opened(dialer, acceptor, 2)
    dialer.hold()
    for stream in (ended, hurried):
        dialer.tell(FrameKind.TEXT, stream, body=bytes(1000))
    acceptor.tell(FrameKind.END, ended, {})
    dialer.receive(acceptor.take())
    assert dialer.queued_bytes == 1000
    dialer.hurry(hurried)
    assert dialer.queued_bytes == 0
    assert dialer.go_on(1)
    assert dialer.take() == b""


def test_more_credit_than_was_used_breaks_the_link() -> None:
    dialer, acceptor = ready_pair()
    (stream,) = opened(dialer, acceptor, 1)
    with pytest.raises(LinkGarbled, match="more was taken"):
        dialer.receive(encode_frame(FrameKind.CREDIT, stream, (1).to_bytes(8, "big")))
    del acceptor


def test_numbers_of_streams_are_used_again_when_all_were_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_protocol, "_LAST_STREAM", 8)
    for protocol, numbers in zip(ready_pair(), ([1, 3, 5, 7], [2, 4, 6, 8]), strict=True):
        assert [protocol.new_stream() for _ in range(4)] == numbers
        protocol.tell(FrameKind.END, numbers[1], {})
        assert protocol.new_stream() == numbers[1]


def test_one_more_stream_than_a_link_may_have_is_refused_and_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_protocol, "_STREAMS", 3)
    dialer, acceptor = ready_pair()
    opened(dialer, acceptor, 3)
    with pytest.raises(Overloaded):
        dialer.new_stream()
    dialer.ping()
    assert acceptor.receive(dialer.take()) == []
