"""A proxy between us and Postgres that loses things on purpose.

It passes bytes on until a piece from the client holds `marker`; then the next fault of `script`
happens. So a test can lose a statement, lose its answer, or keep a copy that arrives late, each
at the exact statement it means.
"""

import asyncio
import contextlib
from collections import deque
from enum import Enum, auto
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

READY = b"Z\x00\x00\x00\x05"  # the head of Postgres's ReadyForQuery


class Fault(Enum):
    """What happens to a marked piece."""

    PASS = auto()
    LOSE_STATEMENT = auto()  # the server never sees it, the connection breaks
    LOSE_ANSWER = auto()  # the server answers, the connection breaks before the client hears
    HOLD_STATEMENT = auto()  # the connection breaks for the client; `deliver` sends it later
    STALL = auto()  # nothing moves any more, and nothing breaks


class Lane:
    """One connection through the proxy."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.client_in, self.client_out = client
        self.server_in, self.server_out = server
        self.answers_pass = True
        self.answered = asyncio.Event()

    def cut_client(self) -> None:
        self.client_out.transport.abort()

    def cut(self) -> None:
        self.client_out.transport.abort()
        self.server_out.transport.abort()


class FaultProxy:
    """See the module; an async context manager.

    Args:
        url: Of the Postgres behind it, on a unix socket.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        folder = parse_qs(urlsplit(url).query)["host"][0]
        self._socket_path = f"{folder}/.s.PGSQL.5432"
        self._server: asyncio.Server | None = None
        self._lanes: set[Lane] = set()
        self._held: list[tuple[Lane, bytes]] = []
        self.marker = b""
        self.script: deque[Fault] = deque()
        self.struck: list[Fault] = []
        self.refusing = False
        self.opened = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        name = urlsplit(self._url).path
        return f"postgresql://stateroom@127.0.0.1:{port}{name}"

    def cut(self) -> None:
        """Break every connection."""
        for lane in self._lanes:
            lane.cut()

    async def deliver(self) -> None:
        """Send what was held to the server, and wait until it has answered."""
        held, self._held = self._held, []
        assert held
        for lane, piece in held:
            lane.answered.clear()
            lane.server_out.write(piece)
            await lane.answered.wait()
            lane.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        if self.refusing:
            writer.transport.abort()
            return
        server = await asyncio.open_unix_connection(self._socket_path)
        lane = Lane((reader, writer), server)
        self._lanes.add(lane)
        with contextlib.suppress(OSError):
            await asyncio.gather(self._up(lane), self._down(lane))
        lane.cut()

    async def _up(self, lane: Lane) -> None:
        while piece := await lane.client_in.read(1 << 20):
            fault = Fault.PASS
            if self.marker and self.marker in piece and self.script:
                fault = self.script.popleft()
                self.struck.append(fault)
            match fault:
                case Fault.PASS:
                    lane.server_out.write(piece)
                case Fault.LOSE_STATEMENT:
                    lane.cut()
                case Fault.LOSE_ANSWER:
                    lane.answers_pass = False
                    lane.answered.clear()
                    lane.server_out.write(piece)
                    await lane.answered.wait()
                    lane.cut()
                case Fault.HOLD_STATEMENT:
                    self._held.append((lane, piece))
                    lane.answers_pass = False
                    lane.cut_client()
                    return
                case Fault.STALL:
                    lane.answers_pass = False
        if lane.answers_pass:
            lane.cut()

    async def _down(self, lane: Lane) -> None:
        while piece := await lane.server_in.read(1 << 20):
            if lane.answers_pass:
                lane.client_out.write(piece)
            if READY in piece:
                lane.answered.set()
        lane.cut()
