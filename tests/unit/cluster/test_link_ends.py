"""The edge's end of a stream: credit goes back as the client takes what it is sent."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from app.cluster.link_ends import TRACE, RemoteSink, RemoteTransport
from app.cluster.link_frames import FrameKind
from app.cluster.link_protocol import WINDOW_BYTES
from app.core.frames import OutgoingMessage
from app.core.tracing import enclosed, traceparent
from app.testing.sockets import MemorySocket


class Ledger:
    """A link that writes down what a stream asks of it."""

    def __init__(self) -> None:
        self.credit: list[int] = []
        self.told: list[tuple[FrameKind, Mapping[str, Any]]] = []
        self.forgotten: list[int] = []

    def tell(
        self, kind: FrameKind, stream: int, meta: Mapping[str, Any] | None = None, body: bytes = b""
    ) -> None:
        self.told.append((kind, meta or {}))

    def hurry(self, stream: int) -> None:
        raise AssertionError("the edge never hurries")

    def returned(self, stream: int, count: int) -> None:
        self.credit.append(count)

    def waiting_bytes(self, stream: int) -> int:
        return 0

    def forget(self, stream: int) -> None:
        self.forgotten.append(stream)


def test_a_client_that_keeps_up_gives_credit_back_at_once() -> None:
    link, socket = Ledger(), MemorySocket()
    sink = RemoteSink(link, 1, socket)
    for text in ("one", "three"):
        sink.say(OutgoingMessage(text))
    assert link.credit == [3, 5]


async def test_a_slow_client_gives_nothing_back_is_looked_at_rarely_and_then_gives_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned: list[tuple[float, Any]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda seconds, look: planned.append((seconds, look)))
    link, socket = Ledger(), MemorySocket()
    socket.stalled_bytes = 2 * WINDOW_BYTES
    sink = RemoteSink(link, 1, socket)
    for _ in range(5):
        sink.say(OutgoingMessage("four"))
    assert len(planned) == 1, "one look is planned, not one a message"
    for _ in range(10):
        planned[-1][1]()
    waits = [seconds for seconds, _ in planned]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.02, 0.64)
    assert link.credit == []
    socket.stalled_bytes = 0
    planned[-1][1]()
    assert link.credit == [20]
    sink.say(OutgoingMessage("six"))
    assert link.credit == [20, 3]


@pytest.mark.parametrize("away", [True, False])
def test_a_close_says_whether_the_object_only_goes_away(away: bool) -> None:
    socket = MemorySocket()
    sink = RemoteSink(Ledger(), 1, socket)
    meta = {"code": 1012, "reason": "why"} | ({"away": True} if away else {})
    sink.told(FrameKind.CLOSE, meta, b"")
    assert socket.closed == (1012, "why")
    assert socket.let_go_by_object is away


def test_a_broken_link_lets_the_client_go() -> None:
    link, socket = Ledger(), MemorySocket()
    sink = RemoteSink(link, 1, socket)
    sink.broken()
    assert socket.closed == (1012, "link_broken")
    assert socket.let_go_by_object
    sink.ended(1012, "", clean=True)
    assert link.told == []


class Hearing:
    """A sink that hears in which span it is spoken to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str | bytes, str | None]] = []

    def receive(self, message: str | bytes) -> None:
        self.heard.append((message, traceparent.get()))

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        raise AssertionError((code, reason, clean))


def test_a_message_inside_a_span_is_announced_with_it_and_others_are_not() -> None:
    link = Ledger()
    sink = RemoteSink(link, 1, MemorySocket())
    sink.receive("plain")
    with enclosed("the span"):
        sink.receive(b"inside")
    kinds = [FrameKind.TEXT, FrameKind.BODY_END, FrameKind.BINARY]
    assert [kind for kind, _ in link.told] == kinds
    assert link.told[1][1] == {TRACE: "the span"}


def test_what_was_announced_encloses_the_next_message_alone() -> None:
    hearing = Hearing()
    transport = RemoteTransport(Ledger(), 1)
    transport.attach(hearing)
    transport.described({TRACE: "the span"})
    for text in (b"one", b"two"):
        transport.told(FrameKind.TEXT, {}, text)
    transport.described({TRACE: "x" * 1_000})
    transport.told(FrameKind.TEXT, {}, b"three")
    assert hearing.heard == [("one", "the span"), ("two", None), ("three", None)]
