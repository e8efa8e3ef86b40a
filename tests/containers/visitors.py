"""Real TinyBase clients that visit rooms through the proxy.

What a room has kept is always read by a fresh client while no other is there: one that holds data
would hide a loss by sending it again.
"""

import asyncio
from typing import Final

from app.core.clock import SystemClock
from app.core.tasks import TaskOwner
from tests.interop.client_host import ClientHost, HostError

_TRY_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.1

Tables = dict[str, dict[str, dict[str, int]]]


async def leave_note(host: ClientHost, url: str, rows: int) -> Tables:
    """Two clients meet in a room and both write; returns what was acknowledged."""
    first, second = await host.joined(url), await host.joined(url)
    for number in range(rows):
        await (first, second)[number % 2].call("setCell", "notes", str(number), "n", number)
    await host.until_equal(first, second)
    for client in (first, second):
        await client.receipt()
        await client.leave()
    return {"notes": {str(number): {"n": number} for number in range(rows)}}


async def seconds_until_read(host: ClientHost, url: str, tables: Tables) -> float:
    """Come back with fresh clients until one of them sees exactly these tables."""
    clock = SystemClock()
    begun = clock.monotonic()
    while True:
        visitor = await host.store()
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                await visitor.join(url)
                await visitor.until_content(tables, deadline_seconds=_TRY_SECONDS)
        except (HostError, TimeoutError) as error:
            if clock.monotonic() - begun > _PATIENCE_SECONDS:
                raise TimeoutError(f"{url} does not show what was acknowledged: {error}") from error
            await clock.sleep(_PAUSE_SECONDS)
        else:
            return clock.monotonic() - begun
        finally:
            await visitor.leave()


class Diarist:
    """A client that comes back by itself and writes on, counting what was acknowledged.

    Args:
        host: Where it lives.
        url: Its room.
    """

    def __init__(self, host: ClientHost, url: str) -> None:
        self._host = host
        self._url = url
        self._tasks = TaskOwner("diarist")
        self._stop = asyncio.Event()
        self.acknowledged = 0
        self.longest_seconds = 0.0

    async def start(self) -> None:
        """Join, and begin to write."""
        self._store = await self._host.store()
        # Multiplexed: TinyBase 10.0.1 never hears again on a plain socket that came back.
        path, _, channel = self._url.rpartition("/")
        await self._store.join(path, channel=channel, reconnecting=True)
        self._writing = self._tasks.start(self._write(), name="write")

    async def finish(self) -> Tables:
        """Stop after the entry under way and leave; returns all that was acknowledged."""
        self._stop.set()
        await self._writing
        await self._store.leave()
        await self._tasks.close()
        return {"diary": {str(number): {"n": number} for number in range(self.acknowledged)}}

    async def _write(self) -> None:
        clock = SystemClock()
        while not self._stop.is_set():
            begun = clock.monotonic()
            await self._store.call(
                "setCell", "diary", str(self.acknowledged), "n", self.acknowledged
            )
            await self._until_receipt(begun)
            self.acknowledged += 1
            self.longest_seconds = max(self.longest_seconds, clock.monotonic() - begun)
            await clock.sleep(_PAUSE_SECONDS)

    async def _until_receipt(self, begun: float) -> None:
        clock = SystemClock()
        while True:
            try:
                return await self._store.receipt(deadline_seconds=2.0)
            except HostError:
                if clock.monotonic() - begun > _PATIENCE_SECONDS:
                    raise
                await clock.sleep(_PAUSE_SECONDS)
