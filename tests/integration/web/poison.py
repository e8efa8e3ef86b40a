"""Objects that do harm, to nobody but themselves. They run on the service's thread.

Each counts what it does, so that a test knows that it went on all the time.
"""

import asyncio
from collections import Counter
from typing import Any, ClassVar

from app.sdk import Connection, DurableObject, Request, Response

SLICE_SECONDS = 0.01
TIMERS = 500
LARGE = "x" * 1_000_000


class Poison(DurableObject):
    """Counts under the name of its class."""

    deeds: ClassVar[Counter[str]] = Counter()
    over: ClassVar[bool] = False
    """Set it to let those that would go on for ever stop."""

    def deed(self) -> None:
        self.deeds[type(self).__name__] += 1

    def spin(self) -> None:
        """Keep the event loop to itself for a slice."""
        self.deed()
        until = self.ctx.monotonic() + SLICE_SECONDS
        while self.ctx.monotonic() < until:
            pass


class NeverStarts(Poison):
    """Raises in on_start, for ever."""

    def on_start(self) -> None:
        self.deed()
        raise RuntimeError("never")


class Flooder(Poison):
    """Keeps hundreds of timers going, each of which makes the next."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        for _ in range(TIMERS):
            self.ctx.call_later(0, self.again)

    def again(self) -> None:
        self.spin()
        if not self.over:
            self.ctx.call_later(0, self.again)


class Eater(Poison):
    """Computes in slices until its time is up, and says so to nobody."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        while True:
            self.spin()
            await self.ctx.breathe()


class NeverReturns(Poison):
    """Waits for what never comes."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.deed()
        await asyncio.get_running_loop().create_future()

    async def on_request(self, request: Request) -> Response:
        self.deed()
        never: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        return await never


class Filler(Poison):
    """Writes more than an event may, as fast as it is let."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        for number in range(1_000_000):
            self.deed()
            await self.ctx.storage.put(f"{number % 200}", LARGE)
            if message == "commit" and number % 5 == 4:
                await self.ctx.storage.sync()


POISONS: dict[str, type[Any]] = {
    "never-starts": NeverStarts,
    "flooder": Flooder,
    "eater": Eater,
    "never-returns": NeverReturns,
    "filler": Filler,
}
