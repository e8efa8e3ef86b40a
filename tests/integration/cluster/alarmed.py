"""An object for tests of alarms on real workers. All workers of a test share this process."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from app.core.clock import SystemClock
from app.sdk import AlarmInfo, DurableObject, Request, Response

DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.02

OnRing = Callable[["Alarmed", AlarmInfo], Awaitable[None] | None]


class Alarmed(DurableObject):
    """`POST` sets the alarm so many milliseconds from now; every run is noted.

    Attributes:
        runs: How often each object's alarm ran.
        late_ms: How long after its time each run began, by the database's clock.
        on_ring: What a run does.
        at_once: How many runs are under way; `most` is the most there ever were.
    """

    runs: ClassVar[Counter[str]] = Counter()
    late_ms: ClassVar[list[int]] = []
    on_ring: ClassVar[OnRing | None] = None
    at_once: ClassVar[int] = 0
    most: ClassVar[int] = 0

    @classmethod
    def reset(cls) -> None:
        cls.runs, cls.late_ms, cls.on_ring = Counter(), [], None
        cls.at_once = cls.most = 0

    async def on_request(self, request: Request) -> Response:
        if request.method == "POST":
            self.ctx.storage.set_alarm(self.ctx.now() + int(request.body))
            if request.path == "/raise":
                raise ValueError("after it was set")
        stored = await self.ctx.storage.get("runs", 0)
        return Response.json({"alarm": await self.ctx.storage.get_alarm(), "runs": stored})

    async def set_many(self, count: int) -> None:
        """Set so many named alarms for now."""
        for number in range(count):
            self.ctx.storage.set_alarm(self.ctx.now(), name=f"{number}", payload={"n": number})

    async def repeat(self, seconds: float) -> None:
        """Have an alarm repeat, beginning now."""
        self.ctx.storage.set_alarm(self.ctx.now(), name="tick", every=seconds)

    async def dead(self) -> list[Any]:
        """The dead letters: payload, class and text of the error."""
        return [
            [letter.name, letter.payload, letter.failure.error_class, letter.failure.error_text]
            for letter in await self.ctx.storage.dead_alarms()
        ]

    async def revive(self, name: str) -> bool:
        """Retry a dead letter."""
        return await self.ctx.storage.retry_dead_alarm(name)

    async def on_alarm(self, info: AlarmInfo) -> None:
        cls, name = Alarmed, str(self.ctx.id.name)
        cls.runs[name] += 1
        cls.late_ms.append(self.ctx.now() - info.scheduled_for)
        cls.at_once += 1
        cls.most = max(cls.most, cls.at_once)
        try:
            result = cls.on_ring(self, info) if cls.on_ring is not None else None
            if result is not None:
                await result
            self.ctx.storage.put("runs", await self.ctx.storage.get("runs", 0) + 1)
        finally:
            cls.at_once -= 1


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something is true; it may be a coroutine function."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            await SystemClock().sleep(_POLL_SECONDS)
