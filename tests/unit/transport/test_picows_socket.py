"""One open socket: messages as they are parsed, pauses, breaches and ends."""

import struct

import pytest

from app.core.clock import SystemClock
from app.core.frames import OutgoingMessage
from app.core.sockets import NO_GOODBYE
from app.transport import picows_socket
from app.transport.frame_parser import free_bytes
from tests.integration.web.wire_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
    text_frame,
)

from .socket_bench import LARGEST, Bench, Sink, open_socket, turns


def told_close(bench: Bench) -> int:
    """The code of the one close frame that was written last."""
    written = bench.wire.written
    at = written.rindex(b"\x88")
    return int.from_bytes(written[at + 2 : at + 4], "big")


async def test_what_was_read_already_waits_during_a_pause() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(b"".join(text_frame(text) for text in ("a", "stop", "b", "stop", "c")))
    assert sink.heard == ["a", "stop"]
    assert not bench.wire.is_read()
    assert sink.transport is not None
    sink.transport.resume_reading()
    await turns()
    assert sink.heard == ["a", "stop", "b", "stop"]
    assert not bench.wire.is_read()
    sink.transport.resume_reading()
    await turns()
    assert sink.heard == ["a", "stop", "b", "stop", "c"]
    assert bench.wire.is_read()
    bench.wire.feed(text_frame("d"))
    assert sink.heard[-1] == "d"
    await bench.end()
    assert sink.ends == [NO_GOODBYE]


async def test_the_end_is_told_when_everything_before_it_was_heard() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(text_frame("stop") + text_frame("last") + close_frame(4000, "bye"))
    await turns()
    assert sink.ends == []
    bench.wire.lose()
    await turns()
    assert sink.ends == []
    assert sink.transport is not None
    sink.transport.resume_reading()
    await turns()
    assert sink.heard == ["stop", "last"]
    assert sink.ends == [(4000, "bye", True)]
    await bench.end()
    assert len(sink.ends) == 1


async def test_a_closed_socket_forgets_what_it_held_back_and_reads_for_the_answer() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(text_frame("stop") + text_frame("unheard"))
    assert sink.transport is not None
    sink.transport.close(4001, "no")
    assert sink.ends == []  # whoever closes is not told in the same call
    await turns()
    assert bench.wire.is_read()
    assert sink.heard == ["stop"]
    assert sink.ends == [(4001, "no", True)]
    assert told_close(bench) == 4001
    bench.wire.feed(text_frame("late") + close_frame(4001))
    assert bench.wire.is_closing()
    sink.transport.send([OutgoingMessage("nobody")])
    sink.transport.close(1000, "")
    assert b"nobody" not in bench.wire.written
    await bench.end()
    assert len(sink.ends) == 1


async def test_a_client_that_never_answers_a_close_is_dropped() -> None:
    bench, sink = await open_socket()
    assert sink.transport is not None
    sink.transport.close(1000, "")
    bench.clock.advance(4)
    assert not bench.wire.is_dropped()
    bench.clock.advance(2)
    assert bench.wire.is_dropped()
    await bench.end()


async def test_an_aborted_socket_is_told_as_one_that_vanished() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(text_frame("stop") + text_frame("unheard"))
    assert sink.transport is not None
    sink.transport.abort()
    assert bench.wire.is_dropped()
    await bench.end()
    assert sink.heard == ["stop"]
    assert sink.ends == [NO_GOODBYE]


async def test_several_messages_leave_in_one_write() -> None:
    bench, sink = await open_socket()
    before = bench.wire.writes
    assert sink.transport is not None
    sink.transport.send([OutgoingMessage("one"), OutgoingMessage(b"two")])
    assert bench.wire.writes == before + 1
    assert bench.wire.written == b"\x81\x03one\x82\x03two"
    await bench.end()


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        pytest.param(frame(TEXT, b"\xff"), 1007, id="no UTF-8"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="a surrogate"),
        pytest.param(
            frame(TEXT, b"ok", final=False) + frame(CONTINUATION, b"\xff"), 1007, id="in pieces"
        ),
        pytest.param(
            frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION, b"x"), 1007, id="cut short"
        ),
        *(
            pytest.param(frame(opcode, b"x", reserved=bit), 1002, id=f"bit {bit} of {opcode}")
            for bit in (4, 2, 1)
            for opcode in (TEXT, BINARY, PING, PONG)
        ),
        pytest.param(frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002, id="begun twice"),
        pytest.param(
            frame(BINARY, b"a", final=False) + frame(TEXT, b"b", final=False), 1002, id="nested"
        ),
        pytest.param(frame(CONTINUATION, b"x"), 1002, id="continues nothing"),
        pytest.param(frame(TEXT, b"x", masked=False), 1002, id="not masked"),
        pytest.param(frame(3, b""), 1002, id="unknown"),
        pytest.param(frame(11, b""), 1002, id="unknown control"),
        pytest.param(frame(PING, b"p" * 126), 1002, id="long ping"),
        pytest.param(frame(PING, b"", final=False), 1002, id="ping in pieces"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="half a code"),
        *(
            pytest.param(frame(CLOSE, struct.pack("!H", code)), 1002, id=f"code {code}")
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
        ),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="a reason that is none"),
        pytest.param(frame(BINARY, b"x" * (LARGEST + 1)), 1009, id="too big"),
        pytest.param(
            frame(BINARY, b"x" * LARGEST, final=False) + frame(CONTINUATION, b"x"),
            1009,
            id="too big in pieces",
        ),
        pytest.param(
            frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 1_000,
            1009,
            id="too many pieces",
        ),
        pytest.param(bytes((0x82, 0xFF)) + b"\x7f" + b"\xff" * 7, 1009, id="announced"),
    ],
)
async def test_a_breach_is_told_with_its_code_behind_all_that_was_whole(
    broken: bytes, code: int
) -> None:
    """One frame ahead or not, in one read or two: what stands before it is heard, once."""
    for apart in (False, True):
        bench, sink = await open_socket()
        before = [text_frame("one"), frame(BINARY, b"two"), text_frame("three")]
        reads = [*before, broken] if apart else [b"".join(before) + broken]
        for data in reads:
            bench.wire.feed(data)
        await turns()
        assert sink.heard == ["one", b"two", "three"]
        ((told, _, clean),) = sink.ends
        assert (told, clean) == (code, False)
        assert told_close(bench) == code
        assert bench.wire.written.count(b"\x88") == 1
        bench.wire.feed(text_frame("after") + close_frame(1000) + b"\xff" * 100)
        assert not bench.wire.is_closing()  # its client may still read why
        bench.clock.advance(1.1)
        assert bench.wire.is_closing()
        assert len(sink.heard) == 3
        await bench.end()
        assert len(sink.ends) == 1


async def test_the_earlier_of_two_breaches_counts() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(frame(TEXT, b"\xff") + frame(3, b""))
    await turns()
    assert [end.code for end in sink.ends] == [1007]
    assert told_close(bench) == 1007
    await bench.end()


async def test_what_follows_a_close_is_no_breach_whatever_it_is() -> None:
    for rest in (text_frame("x"), close_frame(1001), frame(3, b""), frame(TEXT, b"\xff")):
        bench, sink = await open_socket()
        bench.wire.feed(close_frame(1000) + rest + close_frame(1000))
        await turns()
        assert sink.ends == [(1000, "", True)]
        assert sink.heard == []
        await bench.end()


async def test_an_empty_close_is_answered_with_an_empty_one() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(close_frame())
    assert bench.wire.written == b"\x88\x00"
    assert bench.wire.is_closing()
    assert sink.ends == [(1005, "", True)]
    await bench.end()


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4999])
async def test_a_close_is_answered_as_it_came(code: int) -> None:
    bench, sink = await open_socket()
    bench.wire.feed(close_frame(code, "é"))
    assert bench.wire.written == b"\x88\x04" + struct.pack("!H", code) + "é".encode()
    assert sink.ends == [(code, "é", True)]
    await bench.end()


async def test_control_frames_may_come_between_pieces() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(
        frame(TEXT, b"\xc3", final=False)
        + frame(PING, b"p")
        + frame(PONG, b"")
        + frame(CONTINUATION, b"\xa9")
    )
    assert sink.heard == ["é"]
    assert bench.wire.written == b"\x8a\x01p"
    bench.wire.feed(text_frame("whole"))
    assert sink.heard == ["é", "whole"]
    await bench.end()


async def test_a_thousand_pieces_are_one_message() -> None:
    bench, sink = await open_socket()
    bench.wire.feed(
        frame(BINARY, b"x", final=False)
        + frame(CONTINUATION, b"x", final=False) * 998
        + frame(CONTINUATION, b"x")
    )
    assert sink.heard == [b"x" * 1_000]
    await bench.end()


async def test_whatever_way_bytes_are_cut_the_messages_are_the_same() -> None:
    data = text_frame("one") + frame(PING, b"") + frame(BINARY, b"b" * 300) + text_frame("t" * 200)
    for size in (1, 2, 3, 7, 64):
        bench, sink = await open_socket()
        for at in range(0, len(data), size):
            bench.wire.feed(data[at : at + size])
        assert sink.heard == ["one", b"b" * 300, "t" * 200]
        await bench.end()


async def test_a_read_buffer_that_has_grown_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # A turn that a busy machine makes too long would stop the reading in the middle.
    monkeypatch.setattr(picows_socket, "TURN_SECONDS", 60.0)
    bench, sink = await open_socket()
    bench.wire.feed(text_frame("small"))
    small = free_bytes(bench.wire.protocol)
    for payload in (b"x" * 900_000, b"x" * 20_000):
        bench.wire.feed(frame(BINARY, payload))
        assert sink.heard[-1] == payload
        assert free_bytes(bench.wire.protocol) == small
    bench.wire.feed(text_frame("l" * 900_000))
    assert free_bytes(bench.wire.protocol) == small
    # Half a frame stands behind it: not now, but with the next message.
    bench.wire.feed(text_frame("l" * 900_000) + text_frame("next")[:3])
    assert free_bytes(bench.wire.protocol) > small
    bench.wire.feed(text_frame("next")[3:])
    assert sink.heard[-1] == "next"
    assert free_bytes(bench.wire.protocol) == small
    # So do many small ones at once.
    bench.wire.feed(b"".join(text_frame("s" * 100) for _ in range(2_000)))
    await turns()
    assert free_bytes(bench.wire.protocol) == small
    # Where no message tells of it, the keep-alive sees it.
    bench.wire.feed(frame(PING, b"p" * 100) * 2_000)
    assert free_bytes(bench.wire.protocol) > small
    bench.clock.advance(21)
    bench.wire.feed(frame(PONG, b""))
    assert free_bytes(bench.wire.protocol) == small
    bench.wire.feed(text_frame("end"))
    assert sink.heard[-1] == "end"
    await bench.end()


async def test_a_read_buffer_that_has_grown_a_little_is_given_back_at_the_next_look() -> None:
    bench, sink = await open_socket()
    small = free_bytes(bench.wire.protocol)
    bench.wire.feed(text_frame("m" * 3_000))
    assert free_bytes(bench.wire.protocol) > small
    bench.clock.advance(21)
    bench.wire.feed(frame(PONG, b""))
    assert free_bytes(bench.wire.protocol) == small
    bench.wire.feed(text_frame("end"))
    assert sink.heard[-1] == "end"
    await bench.end()


async def test_a_client_that_sends_much_at_once_lets_others_have_their_turn() -> None:
    bench, sink = await open_socket()
    slow = SlowSink(sink)
    attach_again(bench, slow)
    bench.wire.feed(b"".join(text_frame(str(number)) for number in range(40)))
    heard = len(sink.heard)
    assert 0 < heard < 40
    assert not bench.wire.is_read()
    for _ in range(100):
        await turns(1)
    assert sink.heard == [str(number) for number in range(40)]
    assert bench.wire.is_read()
    await bench.end()


class SlowSink:
    """An object that takes two milliseconds for a message."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def receive(self, message: str | bytes) -> None:
        clock = SystemClock()
        ends = clock.monotonic() + 0.002
        while clock.monotonic() < ends:
            pass
        self._sink.receive(message)

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        self._sink.ended(code, reason, clean=clean)


def attach_again(bench: Bench, sink: SlowSink) -> None:
    (socket,) = bench.server.connections
    socket.attach(sink)
