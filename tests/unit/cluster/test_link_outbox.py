"""What leaves a link in one write: a message of many streams once, each stream in its order."""

from hypothesis import given
from hypothesis import strategies as st

from app.cluster.link_frames import FrameKind, FrameReader, unpack_streams
from app.cluster.link_outbox import LinkOutbox

_MANY = {
    FrameKind.TEXT_TO_MANY: FrameKind.TEXT,
    FrameKind.BINARY_TO_MANY: FrameKind.BINARY,
}


def received(data: bytes) -> dict[int, list[tuple[FrameKind, bytes]]]:
    """What each stream gets, in order."""
    found: dict[int, list[tuple[FrameKind, bytes]]] = {}
    for kind, stream, payload in FrameReader().feed(data):
        streams: tuple[int, ...] = (stream,)
        body, single = payload, _MANY.get(kind)
        if single is not None:
            streams, body = unpack_streams(stream, payload)
        for each in streams:
            found.setdefault(each, []).append((single or kind, body))
    return found


def test_one_message_to_many_streams_crosses_once() -> None:
    outbox = LinkOutbox()
    payload = b"x" * 10_000
    for stream in range(1, 201, 2):
        outbox.add(FrameKind.TEXT, stream, payload)
    assert outbox.size_bytes == len(payload)
    data = outbox.take()
    assert len(data) < 11_000
    assert received(data) == {n: [(FrameKind.TEXT, payload)] for n in range(1, 201, 2)}


def test_equal_texts_that_are_not_the_same_message_are_kept_apart() -> None:
    outbox = LinkOutbox()
    one, other = bytes(bytearray(b"equal")), bytes(bytearray(b"equal"))
    outbox.add(FrameKind.TEXT, 1, one)
    outbox.add(FrameKind.TEXT, 3, other)
    assert received(outbox.take()) == {1: [(FrameKind.TEXT, one)], 3: [(FrameKind.TEXT, one)]}


def test_several_broadcasts_to_the_same_streams_cross_once_each() -> None:
    outbox = LinkOutbox()
    messages = [b"a" * 1000, b"b" * 1000, b"c" * 1000]
    for stream in range(1, 101, 2):
        for message in messages:
            outbox.add(FrameKind.TEXT, stream, message)
    assert outbox.size_bytes == 3000
    assert set(map(tuple, received(outbox.take()).values())) == {
        tuple((FrameKind.TEXT, message) for message in messages)
    }


def test_an_empty_outbox_gives_nothing_and_what_was_taken_is_gone() -> None:
    outbox = LinkOutbox()
    assert outbox.take() == b""
    outbox.add(FrameKind.CLOSE, 1, b"")
    assert outbox.take()
    assert (outbox.take(), outbox.size_bytes) == (b"", 0)


_PAYLOADS = [b"", b"one", b"two", b"three"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([FrameKind.TEXT, FrameKind.BINARY, FrameKind.CLOSE]),
            st.integers(1, 4),
            st.sampled_from(_PAYLOADS),
        )
    )
)
def test_every_stream_gets_what_was_added_for_it_in_order(
    frames: list[tuple[FrameKind, int, bytes]],
) -> None:
    outbox = LinkOutbox()
    expected: dict[int, list[tuple[FrameKind, bytes]]] = {}
    for kind, stream, payload in frames:
        outbox.add(kind, stream, payload)
        expected.setdefault(stream, []).append((kind, payload))
    assert received(outbox.take()) == expected
