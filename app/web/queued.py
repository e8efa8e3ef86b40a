"""A socket on any ASGI server: a bounded outbox and one writer task.

The engine of `stateroom serve` (app.transport) does better; this is what everything works with.
The handshake's answer is the first thing in the outbox. Messages that wait together are still
sent one by one: ASGI has no word for several.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.websockets import WebSocketDisconnect

from ..core.clock import Clock
from ..core.frames import OutgoingMessage
from ..core.handshakes import Refusal
from ..core.sockets import NO_GOODBYE, SocketEnd, SocketSink
from ..core.tasks import TaskOwner

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

_BROKEN = frozenset({1002, 1007, 1009})
"""Codes that servers close with themselves when a client broke the protocol. A client's library
may do so too; ASGI does not tell whose the close was."""
_CLOSE_DEADLINE_SECONDS = 5.0
_TURN_SECONDS = 0.01
_NO_STATUS = 1005


class QueuedSocket:
    """A `core.handshakes.OfferedSocket` over ASGI's `send`, and the socket when it is accepted.

    Args:
        send: ASGI's callable.
        tasks: Owner of the writer.
        clock: Measures turns and deadlines.
    """

    admitted = False

    def __init__(self, send: Send, tasks: TaskOwner, clock: Clock) -> None:
        self._send = send
        self._tasks = tasks
        self._clock = clock
        self._waiting: deque[OutgoingMessage | Message] = deque()
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._over = False
        self._readable = asyncio.Event()
        self._readable.set()
        self._life: asyncio.Timeout | None = None
        self._own_end: SocketEnd | None = None
        self._accepted = False
        self._sink: SocketSink | None = None

    def accept(self, subprotocol: str | None) -> "QueuedSocket":
        """See `OfferedSocket.accept`."""
        self._accepted = True
        self._waiting.append({"type": "websocket.accept", "subprotocol": subprotocol})
        self._start_writing()
        return self

    def refuse(self, refusal: Refusal) -> None:
        """See `OfferedSocket.refuse`; a server that cannot tell the status closes with 403."""
        if self._accepted or self._over:
            return
        self._over = True
        event = "websocket.http.response"
        head = {"status": refusal.status, "headers": list(refusal.headers)}
        self._waiting.append({"type": f"{event}.start", **head})
        self._waiting.append({"type": f"{event}.body", "body": refusal.body, "more_body": False})
        self._start_writing()

    def lend(self) -> None:
        """See `core.handoff.GivableSocket.lend`: ASGI has no word for it."""

    def given(self) -> None:
        """See `core.handoff.GivableSocket.given`; it never is."""

    def attach(self, sink: SocketSink) -> None:
        """See `OpenSocket.attach`; what comes is carried to it by `carry`."""
        self._sink = sink

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`."""
        return self._bytes

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._over:
            return
        for message in messages:
            self._waiting.append(message)
            self._bytes += message.size
        self._start_writing()

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`; a client that reads no more is dropped in the end."""
        if not self._over:
            self._over = True
            self._waiting.append({"type": "websocket.close", "code": code, "reason": reason})
            self._start_writing()
            self._clock.call_later(_CLOSE_DEADLINE_SECONDS, self._drop_if_stuck)

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`: a socket of its own cannot go elsewhere."""
        self.close(code, reason)

    def abort(self) -> None:
        """See `SocketTransport.abort`; ASGI can do no more than to stop sending and reading."""
        self._over = True
        self._waiting.clear()
        self._bytes = 0
        if self._writer is not None:
            self._writer.cancel()
        if self._life is not None:
            self._life.reschedule(0.0)

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        self._readable.clear()

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        self._readable.set()

    async def carry(self, receive: Receive) -> None:
        """Give every message to the sink until the socket ends, and tell it how.

        A refused offer is over when the refusal has been sent.
        """
        sink, end = self._sink, NO_GOODBYE
        if not self._accepted:
            if self._writer is not None:
                await asyncio.wait([self._writer])
            return
        try:
            end = await self._carry(receive, sink)
        finally:
            if sink is not None:
                sink.ended(end.code, end.reason, clean=end.clean)

    async def _carry(self, receive: Receive, sink: SocketSink | None) -> SocketEnd:
        """Carry on until the end. A client that sends much at once gets turns of milliseconds."""
        turn_ends = self._clock.monotonic() + _TURN_SECONDS
        try:
            async with asyncio.timeout(None) as self._life:
                while True:
                    message = await receive()
                    await self._readable.wait()
                    if message["type"] == "websocket.disconnect":
                        return self._judge(message)
                    text = message.get("text")
                    if sink is not None:
                        sink.receive(text if text is not None else message.get("bytes") or b"")
                    if self._clock.monotonic() >= turn_ends:
                        await self._clock.sleep(0)
                        turn_ends = self._clock.monotonic() + _TURN_SECONDS
        except TimeoutError:
            if self._own_end is not None and self._writer is not None:
                await asyncio.wait([self._writer])
            return self._own_end or NO_GOODBYE
        finally:
            self._life = None

    def _judge(self, message: Message) -> SocketEnd:
        """How the socket ended, by ASGI's word: without a reason field nobody said goodbye."""
        code, reason = message.get("code", _NO_STATUS), message.get("reason")
        if code == NO_GOODBYE.code or (reason is None and code == _NO_STATUS):
            return NO_GOODBYE
        return SocketEnd(code, reason or "", clean=self._over or code not in _BROKEN)

    def _start_writing(self) -> None:
        if self._writer is None:
            self._writer = self._tasks.start(self._write(), name="socket-writer")

    async def _write(self) -> None:
        try:
            while self._waiting:
                entry = self._waiting.popleft()
                if isinstance(entry, OutgoingMessage):
                    await self._send(_event(entry))
                    self._bytes -= entry.size
                else:
                    if entry["type"] == "websocket.close":
                        self._stop_reading(SocketEnd(entry["code"], entry["reason"], clean=True))
                    await self._send(entry)
        except (OSError, RuntimeError, WebSocketDisconnect):
            # The client is gone, which the reader learns by itself.
            self._over = True
            self._waiting.clear()
            self._bytes = 0
        finally:
            self._writer = None

    def _stop_reading(self, end: SocketEnd) -> None:
        """Our close comes: some servers (granian) send it only when nobody reads."""
        self._own_end = end
        if self._life is not None:
            self._life.reschedule(0.0)

    def _drop_if_stuck(self) -> None:
        if self._writer is not None:
            self.abort()


def _event(message: OutgoingMessage) -> Message:
    if message.text:
        text = message.payload.decode("utf-8", "replace")
        return {"type": "websocket.send", "text": text}
    return {"type": "websocket.send", "bytes": message.payload}
