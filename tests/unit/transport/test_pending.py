"""A connection whose handshake is not answered yet."""

import asyncio
import gc
import socket
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.handshakes import Handshake, OfferedSocket, Refusal
from app.core.sockets import NO_GOODBYE
from tests.integration.web.wire_socket import text_frame, upgrade_request

from .socket_bench import Bench, Gate, Wire, turns

REFUSAL = Refusal(403, ((b"content-type", b"text/plain"),), b"not you")


async def test_a_room_at_hand_is_joined_in_the_step_in_which_the_request_came() -> None:
    gate = Gate()
    bench = Bench(gate)
    assert bench.wire.written.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert len(bench.engine._tasks) == 0
    bench.wire.feed(text_frame("early"))  # in the same step: uvicorn's protocol has it yet
    assert gate.sink.heard == ["early"]
    await turns()
    bench.wire.feed(text_frame("late"))
    assert gate.sink.heard == ["early", "late"]
    assert isinstance(bench.wire.protocol, asyncio.BufferedProtocol)
    await bench.end()
    assert gate.sink.ends == [NO_GOODBYE]


async def test_an_open_socket_keeps_nothing_of_its_handshake() -> None:
    gate, other = Gate(), Gate()
    bench, second = Bench(gate), Bench(other)
    pending = weakref.ref(bench.wire.protocol)
    assert pending() is not None
    gate.offer = None
    gate.asked.clear()
    await turns()
    gc.collect()
    assert pending() is None, "its request stays in memory as long as the socket is open"
    one, two = bench.wire.protocol.transport, second.wire.protocol.transport
    assert one is not two
    assert one.request.headers is two.request.headers
    assert one.response is two.response
    await bench.end()
    await second.end()


async def test_it_is_not_read_until_its_object_has_it() -> None:
    gate = Gate(slow=True)
    gate.joined.clear()
    bench = Bench(gate)
    await turns()
    assert not bench.wire.is_read()
    assert bench.wire.written == b""
    gate.decided.set()
    await turns()
    assert bench.wire.written.startswith(b"HTTP/1.1 101 ")
    assert not bench.wire.is_read()
    gate.joined.set()
    await turns()
    assert bench.wire.is_read()
    assert len(bench.engine._tasks) == 0
    bench.wire.feed(text_frame("hello"))
    assert gate.sink.heard == ["hello"]
    await bench.end()


@pytest.mark.parametrize("slow", [False, True])
async def test_a_refusal_is_an_answer_with_a_status_and_the_end(slow: bool) -> None:
    gate = Gate(slow=slow)
    gate.refusal = REFUSAL
    gate.decided.set()
    bench = Bench(gate)
    bench.server.default_headers = [(b"date", b"today")]
    await turns()
    head, _, body = bench.wire.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"content-length: 7" in head
    assert b"connection: close" in head
    assert body == b"not you"
    assert bench.wire.is_closing()
    bench.clock.advance(6)  # a client that reads nothing
    assert bench.wire.is_dropped()
    await bench.end()


async def test_what_is_no_handshake_reaches_no_gate() -> None:
    gate = Gate()
    bench = Bench(gate, request=upgrade_request("/room").replace(b"GET", b"PUT"))
    assert gate.asked == []
    assert bench.wire.written.startswith(b"HTTP/1.1 405 ")
    assert bench.wire.is_closing()
    await bench.end()


async def test_a_client_that_goes_while_its_object_is_looked_for_is_told_to_the_object() -> None:
    gate = Gate(slow=True)
    bench = Bench(gate)
    await turns()
    bench.wire.lose()
    gate.decided.set()
    await turns()
    assert bench.wire.written == b""
    assert gate.sink.ends == [NO_GOODBYE]
    await bench.end()


async def test_the_end_of_the_server_refuses_who_waits() -> None:
    for by_task in (True, False):
        bench = Bench(Gate(slow=True))
        await turns()
        if by_task:
            await bench.engine.close()
        else:
            (pending,) = bench.server.connections
            pending.shutdown()
        assert bench.wire.written.startswith(b"HTTP/1.1 503 ")
        await bench.end()


class FaultyGate:
    """Fails, at once or later."""

    def __init__(self, *, later: bool) -> None:
        self._later = later

    def decide(
        self, _handshake: Handshake, _offer: OfferedSocket
    ) -> Coroutine[Any, Any, None] | None:
        if self._later:
            return self._fail()
        raise ValueError("secret")

    async def _fail(self) -> None:
        raise ValueError("secret")


@pytest.mark.parametrize("later", [False, True])
async def test_a_fault_of_ours_is_a_status_without_its_text(later: bool) -> None:
    with capture_logs() as logs:
        bench = Bench(FaultyGate(later=later))
        await turns()
    assert bench.wire.written.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in bench.wire.written
    assert [line["log_level"] for line in logs] == ["error"]
    await bench.end()


class SocketWire(Wire):
    """A wire with a descriptor."""

    def __init__(self) -> None:
        super().__init__()
        self.socket, self.other = socket.socketpair()
        self.encrypted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.socket, "ssl_object": self.encrypted or None}.get(name, default)


async def test_it_may_be_lent_until_it_is_answered_and_given_away_without_a_word() -> None:
    gate = Gate(slow=True)
    wire = SocketWire()
    bench = Bench(gate, wire=wire)
    await turns()
    assert gate.offer is not None
    lent = gate.offer.lend()
    assert lent is not None
    assert lent.fileno == wire.socket.fileno()
    assert lent.head.startswith(b"GET /room HTTP/1.1\r\n")
    wire.encrypted = True
    assert gate.offer.lend() is None
    wire.encrypted = False
    gate.offer.given()
    assert bench.wire.written == b""
    assert wire.is_dropped()
    assert gate.offer.lend() is None
    gate.offer.refuse(REFUSAL)  # what comes too late says nothing
    assert bench.wire.written == b""
    await bench.end()
    wire.socket.close()
    wire.other.close()


async def test_what_was_adopted_is_not_given_on() -> None:
    gate = Gate(slow=True)
    wire = SocketWire()
    bench = Bench(gate, wire=wire, adopted=True)
    await turns()
    assert gate.offer is not None
    assert gate.offer.lend() is None
    gate.decided.set()
    await turns()
    assert bench.wire.written.startswith(b"HTTP/1.1 101 ")
    await bench.end()
    wire.socket.close()
    wire.other.close()


class EarlierRequest(asyncio.Protocol):
    """What uvicorn's protocol shows of a request before the handshake."""

    def __init__(self, *, response_complete: bool) -> None:
        self.cycle = self
        self.response_complete = response_complete
        self.ended = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


@pytest.mark.parametrize("answered", [False, True])
async def test_a_handshake_behind_an_unanswered_request_ends_the_connection(
    answered: bool,
) -> None:
    gate, wire = Gate(), Wire()
    wire.protocol = earlier = EarlierRequest(response_complete=answered)
    bench = Bench(gate, wire=wire)
    assert len(gate.asked) == answered
    assert wire.written.startswith(b"HTTP/1.1 101 ") is answered
    assert wire.is_closing() is not answered
    assert earlier.ended is not answered
    bench.clock.advance(6)  # a client that reads nothing
    assert wire.is_dropped() is not answered
    await bench.end()
