"""A proxy in front of a server, set up as carelessly as real ones are now and then.

It passes bytes on in threads of its own, so that a test may ask through it in plain blocking code.
"""

import contextlib
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Carelessness:
    """What it does wrong.

    Attributes:
        forgets_upgrade: It does not pass on that a WebSocket is asked for.
        host: It names the server so, whatever it was called.
        idle_seconds: It cuts a connection on which nothing moves for so long.
        largest_bytes: It cuts a connection whose client sends more.
    """

    forgets_upgrade: bool = False
    host: str = ""
    idle_seconds: float | None = None
    largest_bytes: int | None = None


class CarelessProxy:
    """See the module.

    Args:
        port: Where the server listens on this machine.
        carelessness: What it does wrong.
    """

    def __init__(self, port: int, carelessness: Carelessness) -> None:
        self._port = port
        self._how = carelessness
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for each in self._open:
            _cut(each)
        for thread in self._threads[1:]:
            thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for each in (client, server):
                    each.settimeout(self._how.idle_seconds)
                    self._open.append(each)
                for way in ((client, server, True), (server, client, False)):
                    thread = threading.Thread(target=self._pass_on, args=way)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, upwards: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                passed += len(piece)
                if upwards:
                    piece = self._changed(piece)
                    if self._how.largest_bytes is not None and passed > self._how.largest_bytes:
                        break
                target.sendall(piece)
        _cut(source)
        _cut(target)

    def _changed(self, piece: bytes) -> bytes:
        head, end, rest = piece.partition(b"\r\n\r\n")
        if not end or b" HTTP/1.1\r\n" not in head:
            return piece
        lines = head.split(b"\r\n")
        if self._how.forgets_upgrade:
            unwanted = (b"upgrade:", b"connection:")
            lines = [line for line in lines if not line.lower().startswith(unwanted)]
        if self._how.host:
            host = b"Host: " + self._how.host.encode()
            lines = [host if line.lower().startswith(b"host:") else line for line in lines]
        return b"\r\n".join(lines) + end + rest


def _cut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
