"""When a room answers, as one of its clients sees it.

The client asks the server's replica for its hashes, which only the room's owner can answer, and
asks again as soon as it knows. It is as patient as a person is: a second for a handshake, a second
for an answer; then it drops the connection, waits a moment and goes to the next address. What it
notes is every time span between one good answer and the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_SECONDS = 1.0
RECONNECT_SECONDS = 0.05
QUESTION_SECONDS = 0.02
TOUCH_SECONDS = 15.0

_REFUSED = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage)
_GONE = (*_REFUSED, TimeoutError)
_GET_CONTENT_HASHES = 1


async def touch(address: str, room: str) -> None:
    """Open a room where it is to live, and leave it.

    A worker whose lease is in the database may still be about to begin under it, and refuses until
    then (503): this comes again, as every client does.

    Raises:
        TimeoutError: It was refused for a quarter of a minute.
    """
    async with asyncio.timeout(TOUCH_SECONDS):
        while True:
            with contextlib.suppress(*_REFUSED):
                async with connect(f"{address}/{room}", compression=None, proxy=None):
                    return
            await asyncio.sleep(RECONNECT_SECONDS)


class Watcher:
    """One client of one room.

    Args:
        addresses: Where rooms are served (`ws://host:port`); tried in turn.
        room: Its path.
        reconnect_seconds: How long it waits before it comes again.
    """

    def __init__(
        self, addresses: Sequence[str], room: str, *, reconnect_seconds: float = RECONNECT_SECONDS
    ) -> None:
        self._reconnect_seconds = reconnect_seconds
        self._addresses = itertools.cycle(addresses)
        self._room = room
        self._numbers = itertools.count()
        self._last_good = 0.0
        self._gaps: list[tuple[float, float]] = []
        self._connected_at = 0.0
        self._good = asyncio.Event()
        self.connections = 0

    async def run(self) -> None:
        """Ask until cancelled."""
        for address in self._addresses:
            with contextlib.suppress(*_GONE):
                await self._one_connection(f"{address}/{self._room}")
            await asyncio.sleep(self._reconnect_seconds)

    async def good_answer(self, *, connected_after: float = 0.0) -> float:
        """Wait for a good answer over a connection made after an instant; returns when it came."""
        while True:
            self._good.clear()
            await self._good.wait()
            if self._connected_at > connected_after:
                return self._last_good

    def longest_gap(self, since: float) -> float:
        """The longest span without a good answer that had not ended by an instant, in seconds."""
        return max((end - start for start, end in self._gaps if end >= since), default=0.0)

    async def _one_connection(self, url: str) -> None:
        socket = await connect(
            url, open_timeout=ANSWER_SECONDS, ping_interval=None, compression=None, proxy=None
        )
        connected_at = time.perf_counter()
        self.connections += 1
        try:
            while True:
                await self._ask(socket)
                self._note(connected_at)
                await asyncio.sleep(QUESTION_SECONDS)
        finally:
            socket.transport.abort()

    async def _ask(self, socket: ClientConnection) -> None:
        request = f"q{next(self._numbers)}"
        begins = f'S\n["{request}",'
        async with asyncio.timeout(ANSWER_SECONDS):
            await socket.send(f'S\n["{request}",{_GET_CONTENT_HASHES},""]')
            while not str(await socket.recv()).startswith(begins):
                pass  # the server asks us something, or answers what we no longer wait for

    def _note(self, connected_at: float) -> None:
        now = time.perf_counter()
        if self._last_good:
            self._gaps.append((self._last_good, now))
        self._last_good = now
        self._connected_at = connected_at
        self._good.set()
