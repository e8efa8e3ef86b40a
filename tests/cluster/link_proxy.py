"""A TCP link that can be made bad at any moment, as networks are: cut, stalled, refused.

One proxy stands for the way between one node and something that it talks to (Postgres, or
another node). What a stalled direction was given is kept, in order, and goes on its way when the
stall ends, even if the one who sent it has hung up meanwhile: so late copies arrive.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self, cast


class LinkState(Enum):
    """How the link is. What was open stays open but for `CUT`, which is over at once."""

    PASS = auto()
    STALL_UP = auto()  # from the client to the server
    STALL_DOWN = auto()  # from the server to the client
    STALL_BOTH = auto()
    REFUSE = auto()  # what is open breaks, and what is new is turned away


_STALLED_UP = frozenset({LinkState.STALL_UP, LinkState.STALL_BOTH})
_STALLED_DOWN = frozenset({LinkState.STALL_DOWN, LinkState.STALL_BOTH})

_NO_GOODBYE = struct.pack("ii", 1, 0)

Dial = Callable[[Callable[[], asyncio.Protocol]], Awaitable[object]]
"""Connects the protocol that it makes to the server."""


class LinkProxy:
    """See the module; an async context manager.

    Args:
        dial: Reaches the server behind it.
        port: Where it listens on loopback; 0 takes a free one.
    """

    def __init__(self, dial: Dial, *, port: int = 0) -> None:
        self.state = LinkState.PASS
        self.port = port
        self._dial = dial
        self._server: asyncio.Server | None = None
        self._lanes: set[_Lane] = set()
        self._dials: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Lane(self).client, "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
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
        for dial in list(self._dials):
            dial.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        return len(self._lanes)

    def cut(self) -> None:
        """Break every connection, and lose what was under way."""
        for lane in list(self._lanes):
            lane.abort()

    def become(self, state: LinkState) -> None:
        """Be so from now on; what a stall that is over has kept goes on its way."""
        self.state = state
        if state is LinkState.REFUSE:
            self.cut()
        for lane in list(self._lanes):
            lane.flush()

    def stalls(self, side: "_Side") -> bool:
        """Whether what this side sends is kept."""
        return self.state in (_STALLED_UP if side.is_client else _STALLED_DOWN)

    def entered(self, lane: "_Lane") -> None:
        """A client has connected."""
        self._lanes.add(lane)
        if self.state is LinkState.REFUSE:
            lane.abort()
            return
        dial = asyncio.get_running_loop().create_task(self._reach(lane))
        self._dials.add(dial)
        dial.add_done_callback(self._dials.discard)

    def left(self, lane: "_Lane") -> None:
        self._lanes.discard(lane)

    async def _reach(self, lane: "_Lane") -> None:
        try:
            await self._dial(lambda: lane.server)
        except OSError:
            lane.abort()


class _Lane:
    """One connection: two sides, each with what it has sent and the other has not been given."""

    def __init__(self, proxy: LinkProxy) -> None:
        self.proxy = proxy
        self.client = _Side(self, is_client=True)
        self.server = _Side(self, is_client=False)
        self.client.other, self.server.other = self.server, self.client

    def flush(self) -> None:
        self.client.pass_on()
        self.server.pass_on()

    def abort(self) -> None:
        for side in (self.client, self.server):
            side.abort()
        self.proxy.left(self)


class _Side(asyncio.Protocol):
    """One end of a lane."""

    other: "_Side"

    def __init__(self, lane: _Lane, *, is_client: bool) -> None:
        self.is_client = is_client
        self.transport: asyncio.Transport | None = None
        self.ended = False
        self._lane = lane
        self._kept: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.is_client:
            self._lane.proxy.entered(self._lane)
        elif self.ended:  # cut while it was dialled
            self.abort()
        else:
            self.other.pass_on()

    def data_received(self, data: bytes) -> None:
        self._kept.append(data)
        self.pass_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.pass_on()

    def abort(self) -> None:
        """Break this side as a network does: by a reset, not by a goodbye."""
        self.ended = True
        if self.transport is not None:
            link = self.transport.get_extra_info("socket")
            if link.family == socket.AF_INET and not self.transport.is_closing():
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_GOODBYE)
            self.transport.abort()

    def pass_on(self) -> None:
        """Give the other side what it may have, and the end of it all when it is time."""
        target = self.other.transport
        if target is None or self._lane.proxy.stalls(self):
            return
        if self._kept and not target.is_closing():
            target.writelines(self._kept)
        self._kept = []
        if self.ended:
            target.close()
            if self.other.ended:
                self._lane.proxy.left(self._lane)


def to_unix_socket(path: str) -> Dial:
    """Reach a server on a unix socket."""

    async def dial(make: Callable[[], asyncio.Protocol]) -> object:
        return await asyncio.get_running_loop().create_unix_connection(make, path)

    return dial


def to_port(port: int) -> Dial:
    """Reach a server on a port of this machine."""

    async def dial(make: Callable[[], asyncio.Protocol]) -> object:
        return await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)

    return dial
