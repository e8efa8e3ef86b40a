"""How one open WebSocket ends: once, in order, and told to whoever has it (docs/decisions/0019).

Nothing is delivered behind a breach of the protocol, a close or the end; everything whole before
it is, and then the sink is told. A close frame queues behind what is unsent, and a client that
does not take it within seconds is dropped.
"""

import asyncio
from enum import Enum, auto

from ..core.clock import Timer
from ..core.sockets import NO_GOODBYE, SocketEnd, SocketSink
from .backlog import Backlog
from .closing import GOING_AWAY, breach, close_frame, close_payload
from .discard import Discard
from .frame_parser import FrameListener
from .pieces import Pieces
from .shared import Shared

_FLUSH_SECONDS = 5.0
_LINGER_SECONDS = 1.0
"""How long what a client sends is thrown away behind its breach, so that it can read why."""


class SocketState(Enum):
    """OPEN, then CLOSING once a close frame was sent, then CLOSED when the connection is over."""

    OPEN = auto()
    CLOSING = auto()
    CLOSED = auto()


TRANSITIONS: dict[SocketState, frozenset[SocketState]] = {
    SocketState.OPEN: frozenset({SocketState.CLOSING, SocketState.CLOSED}),
    SocketState.CLOSING: frozenset({SocketState.CLOSED}),
    SocketState.CLOSED: frozenset(),
}


class EndingSocket(FrameListener):
    """See the module.

    Args:
        transport: The connection; the answer to the handshake is written.
        shared: What all sockets of the server share.
        reads: Whether it is read; else it is from `attach` on.

    Attributes:
        slot: The wheel's.
    """

    __slots__ = (
        "_backlog",
        "_end",
        "_flows",
        "_pieces",
        "_reads",
        "_shared",
        "_sink",
        "_state",
        "_timer",
        "_told",
        "_transport",
        "slot",
    )

    def __init__(self, transport: asyncio.Transport, shared: Shared, *, reads: bool) -> None:
        self._transport = transport
        self._shared = shared
        self._sink: SocketSink | None = None
        self._state = SocketState.OPEN
        self._end: SocketEnd | None = None
        self._told = False
        self._flows = False
        """Whether a whole text message goes straight to the sink: the usual case, as one look."""
        self._backlog: Backlog | None = None
        self._pieces: Pieces | None = None
        self._reads = reads
        self._timer: Timer | None = None
        self.slot = 0
        shared.connections.add(self)

    @property
    def client(self) -> tuple[str, int] | None:
        """The client's address and port, if it has one."""
        found = self._transport.get_extra_info("peername")
        return found[:2] if isinstance(found, tuple) else None

    def attach(self, sink: SocketSink) -> None:
        """See `core.handshakes.OpenSocket.attach`."""
        self._sink = sink
        if self._end is not None:
            self._tell_soon()
        else:
            self._flow()
            self.set_reading(wanted=True)

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`; a client that does not take it within seconds is dropped."""
        if self._state is SocketState.OPEN:
            if self._backlog is not None:
                self._backlog.forget()
            self._begin_close(SocketEnd(code, reason, clean=True), close_payload(code, reason))
            self._tell_soon()
            self._drop_later()

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`: a socket of its own cannot go elsewhere."""
        self.close(code, reason)

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        if self._backlog is not None:
            self._backlog.forget()
        self._transport.abort()

    def shutdown(self) -> None:
        """The server ends: uvicorn's word for every connection that is left."""
        self.close(*GOING_AWAY)

    # -- turns (BacklogOwner) ------------------------------------------------------------------

    def deliver(self, message: str | bytes) -> None:
        """See `BacklogOwner.deliver`."""
        if self._sink is not None:
            self._sink.receive(message)

    def set_reading(self, *, wanted: bool) -> None:
        """See `BacklogOwner.set_reading`; behind the end what comes is read to its end."""
        if self._reads is wanted or self._state is not SocketState.OPEN:
            return
        self._reads = wanted
        if not self._transport.is_closing():
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def all_delivered(self) -> None:
        """See `BacklogOwner.all_delivered`."""
        self._flow()
        if self._end is not None:
            self._tell()

    def _flow(self) -> None:
        backlog = self._backlog
        self._flows = (
            self._state is SocketState.OPEN
            and self._sink is not None
            and self._pieces is None
            and (backlog is None or not backlog.blocks)
        )

    def _needed_backlog(self) -> Backlog:
        if self._backlog is None:
            self._backlog = Backlog(self)
        return self._backlog

    # -- the end -------------------------------------------------------------------------------

    def _break(self, code: int) -> None:
        """The client broke the protocol: tell it so, and hear no more."""
        if self._state is not SocketState.OPEN:
            return
        end = breach(code)
        self._begin_close(end, close_payload(end.code, end.reason))
        self._transport.set_protocol(Discard(self._gone))
        self._timer = self._shared.clock.call_later(_LINGER_SECONDS, self._hang_up)
        self._tell_if_delivered()

    def _begin_close(self, end: SocketEnd, payload: bytes) -> None:
        self.set_reading(wanted=True)  # for the answer of the client
        self._move(SocketState.CLOSING)
        self._end = end
        self._pieces = None
        self._shared.wheel.remove(self)
        self._transport.write(close_frame(payload))

    def _hang_up(self) -> None:
        self._transport.close()
        self._drop_later()

    def _drop_later(self) -> None:
        """A transport that closes waits for its reader; some have stopped reading for good."""
        self._timer = self._shared.clock.call_later(_FLUSH_SECONDS, self._transport.abort)

    def _gone(self) -> None:
        if self._state is SocketState.CLOSED:
            return
        self._move(SocketState.CLOSED)
        if self._timer is not None:
            self._timer.cancel()
        self._shared.wheel.remove(self)
        self._shared.connections.discard(self)
        self._forget_parser()
        self._end = self._end or NO_GOODBYE
        self._tell_if_delivered()

    def _forget_parser(self) -> None:
        """It holds us, and we hold it."""

    def _move(self, state: SocketState) -> None:
        if state not in TRANSITIONS[self._state]:
            raise RuntimeError(f"a socket cannot go from {self._state.name} to {state.name}")
        self._state = state
        self._flows = False

    def _tell_soon(self) -> None:
        """Whoever closes is not told in the same call."""
        asyncio.get_running_loop().call_soon(self._tell)

    def _tell_if_delivered(self) -> None:
        if not self._backlog:
            self._tell()

    def _tell(self) -> None:
        if self._sink is not None and self._end is not None and not self._told:
            self._told = True
            sink, self._sink = self._sink, None
            sink.ended(self._end.code, self._end.reason, clean=self._end.clean)
