"""A pair of clients that keep syncing while others attack: the proof that nobody else is harmed.

The writer changes one value of its own again and again; the listener must get every change, once
and in order. What each took is kept, for reports: nothing is asserted of time.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.integration.web.patience import a_moment
from tests.integration.web.wire_socket import WireSocket

PAUSE_SECONDS = 0.01


class Witness:
    """One pair in one room."""

    def __init__(self, writer: WireSocket, listener: WireSocket) -> None:
        self.token = f"witness-{uuid.uuid4().hex}"
        self.latencies: list[float] = []
        self._writer = writer
        self._listener = listener

    @property
    def changes(self) -> int:
        """How many went through."""
        return len(self.latencies)

    @property
    def slowest_ms(self) -> float:
        return max(self.latencies, default=0.0) * 1000

    @property
    def median_ms(self) -> float:
        ordered = sorted(self.latencies)
        return ordered[len(ordered) // 2] * 1000 if ordered else 0.0

    async def change(self) -> None:
        """Make one change and wait until the listener has it, committed."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        number = self.changes + 1
        body = f'[[{{}}],[{{"{self.token}":[{number}]}}],1]'
        await self._writer.say(f'\n["{self.token}",3,{body}]')
        while True:
            message = str(await self._listener.read_message())
            if self.token in message and not message.startswith("S\n"):
                break
        assert message.endswith(f'["{self.token}",3,{body}]'), (number, message[:200])
        self.latencies.append(loop.time() - begun)

    async def drain(self) -> None:
        """Read whatever the writer is told, so that it is no slow reader, and answer pings."""
        while True:
            await self._writer.read_message(patient=True)


@asynccontextmanager
async def witness(port: int, path: str) -> AsyncIterator[Witness]:
    """Keep a pair syncing in a room during the block; leaving it makes one change more."""
    pair = Witness(await WireSocket.open(port, f"/{path}"), await WireSocket.open(port, f"/{path}"))
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    async def go_on() -> None:
        while not over.is_set():
            await pair.change()
            await a_moment(PAUSE_SECONDS)

    await pair.change()
    draining = loop.create_task(pair.drain())
    changing = loop.create_task(go_on())
    try:
        yield pair
        over.set()
        await changing
        await pair.change()
    finally:
        changing.cancel()
        draining.cancel()
        await asyncio.gather(changing, draining, return_exceptions=True)
