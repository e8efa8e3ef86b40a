"""Links without I/O: proof, streams, credit, and what breaks them."""

import uuid

import pytest

from app.cluster.link_frames import FrameKind, encode_frame
from app.cluster.link_handshake import Handshake, Role, link_key
from app.cluster.link_protocol import (
    WINDOW_BYTES,
    Event,
    LinkProtocol,
    LinkState,
    Ready,
    Taken,
    Told,
)
from app.core.errors import LinkGarbled, LinkRefused
from app.core.ids import WorkerId

KEY = link_key(b"the cluster's key")
DIALER, ACCEPTOR = (WorkerId(uuid.uuid4()) for _ in range(2))


def make_pair(
    key: bytes = KEY, *, expected: WorkerId | None = ACCEPTOR
) -> tuple[LinkProtocol, LinkProtocol]:
    dialer = LinkProtocol(
        Handshake(KEY, worker_id=DIALER, role=Role.DIALER, expected=expected), role=Role.DIALER
    )
    acceptor = LinkProtocol(
        Handshake(key, worker_id=ACCEPTOR, role=Role.ACCEPTOR), role=Role.ACCEPTOR
    )
    return dialer, acceptor


def exchange(one: LinkProtocol, other: LinkProtocol) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways until nothing moves; what each side learned."""
    at_one: list[Event] = []
    at_other: list[Event] = []
    while True:
        there, back = one.take(), other.take()
        if not there and not back:
            return at_one, at_other
        at_other += other.receive(there)
        at_one += one.receive(back)


def ready_pair() -> tuple[LinkProtocol, LinkProtocol]:
    pair = make_pair()
    exchange(*pair)
    return pair


def test_both_sides_prove_themselves_and_learn_who_the_other_is() -> None:
    dialer, acceptor = make_pair()
    assert exchange(dialer, acceptor) == ([Ready(ACCEPTOR)], [Ready(DIALER)])
    assert dialer.state is acceptor.state is LinkState.READY


def test_another_key_is_refused() -> None:
    dialer, acceptor = make_pair(link_key(b"another cluster's key"))
    with pytest.raises(LinkRefused):
        exchange(dialer, acceptor)


def test_a_worker_that_was_replaced_under_its_address_is_refused() -> None:
    dialer, acceptor = make_pair(expected=WorkerId(uuid.uuid4()))
    with pytest.raises(LinkRefused, match="another worker"):
        exchange(dialer, acceptor)


def test_a_proof_cannot_be_sent_back_to_its_maker() -> None:
    dialer, _ = make_pair(expected=None)
    hello = dialer.take()
    mirrored = dialer.receive(hello)
    assert mirrored == []
    with pytest.raises(LinkRefused):
        dialer.receive(dialer.take())
    assert dialer.state is LinkState.BROKEN


def test_nothing_but_the_handshake_is_taken_before_it_is_over() -> None:
    _, acceptor = make_pair()
    with pytest.raises(LinkRefused, match="out of its turn"):
        acceptor.receive(encode_frame(FrameKind.OPEN, 1, b""))


def test_an_unproven_peer_cannot_make_us_buffer_much() -> None:
    _, acceptor = make_pair()
    with pytest.raises(LinkGarbled):
        acceptor.receive(encode_frame(FrameKind.HELLO, 0, b"x" * 5000))


def test_what_comes_in_one_piece_with_the_proof_may_be_as_large_as_any_frame() -> None:
    dialer, acceptor = make_pair()
    hello, answer = dialer.take(), acceptor.take()
    acceptor.receive(hello)
    dialer.receive(answer + acceptor.take())
    stream = dialer.new_stream()
    dialer.tell(FrameKind.CALL, stream, {}, b"x" * 5000)
    assert acceptor.receive(dialer.take()) == [
        Ready(DIALER),
        Told(FrameKind.CALL, stream, {}, b"x" * 5000),
    ]


def test_frames_arrive_in_order_with_their_meta_and_body_however_the_bytes_are_cut() -> None:
    dialer, acceptor = ready_pair()
    stream = dialer.new_stream()
    dialer.tell(FrameKind.OPEN, stream, {"name": "a"}, b"body")
    dialer.tell(FrameKind.TEXT, stream, body=b"one")
    dialer.tell(FrameKind.BINARY, stream, body=b"two")
    dialer.tell(FrameKind.END, stream, {"code": 1000})
    events: list[Event] = []
    for byte in dialer.take():
        events += acceptor.receive(bytes([byte]))
    assert events == [
        Told(FrameKind.OPEN, stream, {"name": "a"}, b"body"),
        Told(FrameKind.TEXT, stream, {}, b"one"),
        Told(FrameKind.BINARY, stream, {}, b"two"),
        Told(FrameKind.END, stream, {"code": 1000}, b""),
    ]
    assert dialer.streams == acceptor.streams == 0


def test_both_sides_open_streams_of_their_own() -> None:
    dialer, acceptor = ready_pair()
    assert (dialer.new_stream(), dialer.new_stream()) == (1, 3)
    assert (acceptor.new_stream(), acceptor.new_stream()) == (2, 4)


def test_opening_a_stream_with_the_other_sides_number_breaks_the_link() -> None:
    _, acceptor = ready_pair()
    with pytest.raises(LinkGarbled, match="not theirs"):
        acceptor.receive(encode_frame(FrameKind.OPEN, 2, b"\0\0\0\2{}"))


def test_without_credit_a_stream_waits_and_others_go_on() -> None:
    dialer, acceptor = ready_pair()
    full, free = dialer.new_stream(), dialer.new_stream()
    for stream in (full, free):
        dialer.tell(FrameKind.OPEN, stream, {})
    piece = b"x" * (WINDOW_BYTES // 2)
    for _ in range(4):
        dialer.tell(FrameKind.TEXT, full, body=piece)
    dialer.tell(FrameKind.TEXT, free, body=b"quick")
    _, arrived = exchange(dialer, acceptor)
    texts = [each for each in arrived if isinstance(each, Told) and each.kind is FrameKind.TEXT]
    assert [each.stream for each in texts] == [full, full, free]
    assert dialer.waiting_bytes(full) == 4 * len(piece)
    acceptor.returned(full, 2 * len(piece))
    at_dialer, arrived = exchange(dialer, acceptor)
    assert len(arrived) == 2
    assert at_dialer == [Taken(full, 2 * len(piece))]


def test_what_ends_a_stream_comes_behind_what_still_waits() -> None:
    dialer, acceptor = ready_pair()
    stream = dialer.new_stream()
    dialer.tell(FrameKind.OPEN, stream, {})
    piece = b"x" * WINDOW_BYTES
    dialer.tell(FrameKind.TEXT, stream, body=piece)
    dialer.tell(FrameKind.TEXT, stream, body=b"last")
    dialer.tell(FrameKind.END, stream, {"code": 1000})
    exchange(dialer, acceptor)
    acceptor.returned(stream, len(piece))
    _, arrived = exchange(dialer, acceptor)
    assert [each.kind for each in arrived if isinstance(each, Told)] == [
        FrameKind.TEXT,
        FrameKind.END,
    ]


def test_frames_of_a_stream_that_has_ended_here_are_dropped() -> None:
    dialer, acceptor = ready_pair()
    stream = dialer.new_stream()
    dialer.tell(FrameKind.OPEN, stream, {})
    exchange(dialer, acceptor)
    dialer.tell(FrameKind.END, stream, {})
    acceptor.tell(FrameKind.TEXT, stream, body=b"crossing")
    at_dialer, _ = exchange(dialer, acceptor)
    assert at_dialer == []


def test_a_ping_during_a_slow_handshake_does_not_break_it() -> None:
    dialer, acceptor = make_pair()
    dialer.ping()
    acceptor.ping()
    exchange(dialer, acceptor)
    assert (dialer.state, acceptor.state) == (LinkState.READY, LinkState.READY)


def test_a_ping_is_answered() -> None:
    dialer, acceptor = ready_pair()
    dialer.ping()
    assert acceptor.receive(dialer.take()) == []
    assert acceptor.take() == encode_frame(FrameKind.PONG, 0, b"")


@pytest.mark.parametrize(
    "garbage",
    [
        encode_frame(FrameKind.HELLO, 0, b""),
        b"\0\0\0\0\xff\0\0\0\0",
        encode_frame(FrameKind.OPEN, 1, b"\0\0\0\4[[[["),
        encode_frame(FrameKind.OPEN, 1, b"\0\0\0\xff{}"),
        b"\xff\xff\xff\xff\x0d\0\0\0\1",
    ],
)
def test_what_makes_no_sense_breaks_the_link(garbage: bytes) -> None:
    _, acceptor = ready_pair()
    with pytest.raises(LinkGarbled):
        acceptor.receive(garbage)
    assert acceptor.state.name == "BROKEN"
