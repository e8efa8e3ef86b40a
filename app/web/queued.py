"""A socket on any ASGI server: a bounded outbox and one writer task.

The direct door (app.transport) does better where it is there; this is what everything works
with. Messages that wait together are still sent one by one: ASGI has no word for several.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, NamedTuple

from starlette.websockets import WebSocketDisconnect

from ..core.clock import Clock
from ..core.frames import OutgoingMessage
from ..core.sockets import SocketEnd, SocketSink
from ..core.tasks import TaskOwner

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]

_BROKEN = frozenset({1002, 1007, 1009})
"""Codes that servers close with themselves when a client broke the protocol. A client's library
may do so too; ASGI does not tell whose the close was."""
_CLOSE_DEADLINE_SECONDS = 5.0
_TURN_SECONDS = 0.01


class _CloseFrame(NamedTuple):
    code: int
    reason: str


class QueuedSocket:
    """A `core.sockets.SocketTransport` over ASGI's `send`.

    Args:
        send: ASGI's callable, after the handshake.
        tasks: Owner of the writer.
        clock: Measures turns and deadlines.
    """

    def __init__(self, send: Send, tasks: TaskOwner, clock: Clock) -> None:
        self._send = send
        self._tasks = tasks
        self._clock = clock
        self._waiting: deque[OutgoingMessage | _CloseFrame] = deque()
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._over = False
        self._readable = asyncio.Event()
        self._readable.set()
        self._life: asyncio.Timeout | None = None
        self.end: SocketEnd | None = None
        """How the socket ended, if more is known than ASGI's event says."""

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
            self._waiting.append(_CloseFrame(code, reason))
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

    async def carry(self, receive: Receive, sink: SocketSink) -> Message | None:
        """Give every message to the sink; return ASGI's word on the end, None after `abort`.

        A client that sends much at once gets turns of some milliseconds.
        """
        turn_ends = self._clock.monotonic() + _TURN_SECONDS
        try:
            async with asyncio.timeout(None) as self._life:
                while True:
                    message = await receive()
                    await self._readable.wait()
                    if message["type"] == "websocket.disconnect":
                        self._judge(message)
                        return message
                    text = message.get("text")
                    sink.receive(text if text is not None else message.get("bytes") or b"")
                    if self._clock.monotonic() >= turn_ends:
                        await self._clock.sleep(0)
                        turn_ends = self._clock.monotonic() + _TURN_SECONDS
        except TimeoutError:
            return None
        finally:
            self._life = None

    def _judge(self, message: Message) -> None:
        code = message.get("code")
        if code in _BROKEN and not self._over:
            self.end = SocketEnd(code, message.get("reason") or "", clean=False)

    def _start_writing(self) -> None:
        if self._writer is None:
            self._writer = self._tasks.start(self._write(), name="socket-writer")

    async def _write(self) -> None:
        try:
            while self._waiting:
                entry = self._waiting.popleft()
                if isinstance(entry, _CloseFrame):
                    await self._send(
                        {"type": "websocket.close", "code": entry.code, "reason": entry.reason}
                    )
                    return
                await self._send(_event(entry))
                self._bytes -= entry.size
        except (OSError, RuntimeError, WebSocketDisconnect):
            # The client is gone, which the reader learns by itself.
            self._over = True
            self._waiting.clear()
            self._bytes = 0
        finally:
            self._writer = None

    def _drop_if_stuck(self) -> None:
        if self._writer is not None:
            self.abort()


def _event(message: OutgoingMessage) -> Message:
    if message.text:
        text = message.payload.decode("utf-8", "replace")
        return {"type": "websocket.send", "text": text}
    return {"type": "websocket.send", "bytes": message.payload}
