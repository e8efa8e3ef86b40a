"""A socket on any ASGI server: a bounded outbox and one writer task.

The direct door (app.transport) does better where it is there; this is what everything works
with. Messages that wait together are still sent one by one: ASGI has no word for several.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from ..core.frames import OutgoingMessage
from ..core.tasks import TaskOwner

Send = Callable[[dict[str, Any]], Awaitable[None]]

_CLOSE_DEADLINE_SECONDS = 5.0


class _CloseFrame(NamedTuple):
    code: int
    reason: str


class QueuedSocket:
    """A `core.sockets.SocketTransport` over ASGI's `send`.

    Args:
        send: ASGI's callable, after the handshake.
        tasks: Owner of the writer.
    """

    def __init__(self, send: Send, tasks: TaskOwner) -> None:
        self._send = send
        self._tasks = tasks
        self._waiting: deque[OutgoingMessage | _CloseFrame] = deque()
        self._bytes = 0
        self._writing = False
        self._over = False
        self._readable = asyncio.Event()
        self._readable.set()

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
            self._bytes += len(message.payload)
        self._start_writing()

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`."""
        if not self._over:
            self._over = True
            self._waiting.append(_CloseFrame(code, reason))
            self._start_writing()

    def abort(self) -> None:
        """See `SocketTransport.abort`; ASGI can do no more than to stop sending."""
        self._over = True
        self._waiting.clear()
        self._bytes = 0

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        self._readable.clear()

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        self._readable.set()

    async def readable(self) -> None:
        """Wait until messages may be read."""
        await self._readable.wait()

    def _start_writing(self) -> None:
        if not self._writing:
            self._writing = True
            self._tasks.start(self._write(), name="socket-writer")

    async def _write(self) -> None:
        try:
            while self._waiting:
                entry = self._waiting.popleft()
                if isinstance(entry, _CloseFrame):
                    async with asyncio.timeout(_CLOSE_DEADLINE_SECONDS):
                        await self._send(
                            {"type": "websocket.close", "code": entry.code, "reason": entry.reason}
                        )
                    return
                await self._send(_event(entry))
                self._bytes -= len(entry.payload)
        except (OSError, RuntimeError, TimeoutError):
            # The client is gone, which the reader learns by itself, or reads nothing at all.
            self.abort()
        finally:
            self._writing = False


def _event(message: OutgoingMessage) -> dict[str, Any]:
    if message.text:
        text = message.payload.decode("utf-8", "replace")
        return {"type": "websocket.send", "text": text}
    return {"type": "websocket.send", "bytes": message.payload}
