"""One request whose answer is read while its body is still sent.

An import tells what became of each object while it reads. The usual HTTP clients send all of a
body before they read anything, so a long answer would wait in buffers until the server gives up
on a reader that takes nothing. Here one connection does both at a time, on an event loop in a
thread of its own; what comes is handed over through a bounded queue.
"""

import asyncio
import contextlib
import queue
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import h11

_AHEAD: Final = 64
"""Pieces of the answer that may wait for whoever reads it."""
_READ_BYTES: Final = 1 << 16
_TICK_SECONDS: Final = 0.2
_LEAVE_SECONDS: Final = 5.0
_PORTS: Final = {"http": 80, "https": 443}

ExchangeErrors: Final = (OSError, TimeoutError, h11.ProtocolError, ssl.SSLError)
"""What goes wrong in an exchange."""


class Exchange:
    """See the module; `with` begins and ends it. `start` returns when the answer begins.

    Args:
        url: Where to send a POST.
        headers: Of the request.
        body: Its pieces, taken in the other thread; one that is waited for holds up the answer.
        connect_seconds: How long connecting may take.
        answer_seconds: How long the answer may keep silent once the body is sent.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Iterable[bytes],
        connect_seconds: float,
        answer_seconds: float,
    ) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        given = {"host": parts.netloc.rpartition("@")[2], "transfer-encoding": "chunked", **headers}
        self._request = h11.Request(method="POST", target=target, headers=list(given.items()))
        self._body = body
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._http = h11.Connection(h11.CLIENT)
        self._told: queue.Queue[h11.Response | bytes | Exception | None] = queue.Queue(_AHEAD)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="exchange", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._thread.join(_LEAVE_SECONDS)

    def start(self) -> int:
        """Wait for the head of the answer; return its status.

        Raises:
            Exception: One of `ExchangeErrors`.
        """
        head = self._next()
        if not isinstance(head, h11.Response):
            raise ConnectionError("the answer has no head")
        return head.status_code

    def pieces(self) -> Iterator[bytes]:
        """The body of the answer.

        Raises:
            Exception: One of `ExchangeErrors`; the answer did not come to its end.
        """
        while isinstance(piece := self._next(), bytes):
            yield piece

    def _next(self) -> h11.Response | bytes | None:
        item = self._told.get()
        if isinstance(item, Exception):
            raise item
        return item

    def _run(self) -> None:
        try:
            asyncio.run(self._converse())
        except* ExchangeErrors as errors:
            self._tell(_first_of(errors))
        else:
            self._tell(None)

    async def _converse(self) -> None:
        async with asyncio.timeout(self._connect_seconds):
            reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send(writer))
                await self._receive(reader, sending)
                sending.cancel()
        finally:
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        """Send all; a server that has answered and hung up meanwhile has said what there is."""
        with contextlib.suppress(ConnectionError):
            writer.write(self._http.send(self._request) or b"")
            for piece in self._body:
                writer.write(self._http.send(h11.Data(data=piece)) or b"")
                await writer.drain()
                if self._left.is_set():
                    return
            writer.write(self._http.send(h11.EndOfMessage()) or b"")
            await writer.drain()

    async def _receive(self, reader: asyncio.StreamReader, sending: "asyncio.Task[None]") -> None:
        silent = 0.0
        while not self._left.is_set():
            event = self._http.next_event()
            if isinstance(event, h11.EndOfMessage):
                return
            if isinstance(event, h11.Response):
                self._tell(event)
            elif isinstance(event, h11.Data):
                self._tell(bytes(event.data))
            if event is not h11.NEED_DATA:
                continue
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    data = await reader.read(_READ_BYTES)
            except TimeoutError:
                silent = silent + _TICK_SECONDS if sending.done() else 0.0
                if silent > self._answer_seconds:
                    raise
            else:
                silent = 0.0
                self._http.receive_data(data)

    def _tell(self, item: h11.Response | bytes | Exception | None) -> None:
        while not self._left.is_set():
            try:
                return self._told.put(item, timeout=_TICK_SECONDS)
            except queue.Full:
                continue
        return None


def _first_of(errors: BaseExceptionGroup[Exception]) -> Exception:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, Exception) else ConnectionError(str(found))
