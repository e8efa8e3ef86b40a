"""A WebSocket peer of the tests' own, without TinyBase and without Node: frames out, frames in.

Used where the exact frames matter. Reading is always "until this frame", never "for a while", so
nothing here sleeps: to show that something was not sent, a test makes the server say something else
afterwards and looks at all that came first.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

MULTIPLEXED: Final = "tinybase"
DEADLINE_SECONDS: Final = 20.0


class RawPeer:
    """One connection. `seen` holds the frames that were read and not taken, in their order."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._waiting: deque[str] = deque()

    @property
    def protocol(self) -> str:
        """The subprotocol that the server selected, or the empty string."""
        return self._connection.subprotocol or ""

    async def send(self, frame: str | bytes) -> None:
        """Send a text or binary frame. A connection that the server has closed swallows it."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._connection.send(frame)
        except ConnectionClosed:
            return

    async def take(self, wanted: Callable[[str], bool] = lambda _frame: True) -> str:
        """Remove and return the first frame that is wanted, waiting for it; the others stay.

        Raises ConnectionClosed when the connection ends first, TimeoutError when nothing comes.
        """
        for frame in self._waiting:
            if wanted(frame):
                self._waiting.remove(frame)
                return frame
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                frame = await self._receive()
                if wanted(frame):
                    return frame
                self._waiting.append(frame)

    def left_over(self) -> list[str]:
        """Return the frames that were read and that nobody has taken."""
        return list(self._waiting)

    async def closed(self) -> tuple[int, str]:
        """Wait for the server's close frame; return its code and reason (1005 if it had none)."""
        try:
            await self.take(lambda _frame: False)
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")
        raise AssertionError("unreachable: nothing was wanted")

    async def close(self) -> None:
        """Close from this side and wait for the server to agree."""
        await self._connection.close()

    async def _receive(self) -> str:
        frame = await self._connection.recv()
        assert isinstance(frame, str), "a TinyBase server sends text frames only"
        return frame


@asynccontextmanager
async def raw_peer(url: str, *, protocols: Sequence[str] = ()) -> AsyncIterator[RawPeer]:
    """Connect, and close at the end of the block whatever happened in it."""
    async with connect(
        url,
        subprotocols=[Subprotocol(name) for name in protocols] or None,
        compression=None,
        max_size=None,
        ping_interval=None,
        proxy=None,
        open_timeout=DEADLINE_SECONDS,
    ) as connection:
        yield RawPeer(connection)
