"""A counter, and those who count with it: objects that call it, number after number.

An increment has a name, its caller's and a number, and is asked for again until it is answered.
The counter keeps each caller's last number, and the count that it made, in the same event as the
count itself: what is asked for twice is counted once. So the counter knows when an increment is
missing, and a count that is told for two increments shows that one of them was lost.
"""

from typing import Any
from urllib.parse import parse_qs

from app.core.clock import SystemClock
from stateroom import DurableObject, Request, Response, StateroomError

PATIENCE_SECONDS = 15.0
FORGOTTEN = 0
"""The count of an increment that was counted and is not its caller's last one."""
AFTER_A_GAP = -1
"""The increment before it is not there; nothing was counted."""
COUNT = "count"
_AT_ONCE = 10
_PAUSE_SECONDS = 0.03


class Counter(DurableObject):
    """Counts in storage; reads before it writes, and awaits the reading."""

    async def increment(self, caller: str, number: int) -> int:
        """Count one, unless that was done already; return the count that it made, or see above."""
        last, made = await self.ctx.storage.get(caller, (0, 0))
        if last >= number:
            return int(made) if last == number else FORGOTTEN
        if number != last + 1:
            return AFTER_A_GAP
        count: int = await self.ctx.storage.get(COUNT, 0) + 1
        self.ctx.storage.put(COUNT, count)
        self.ctx.storage.put(caller, (number, count))
        return count

    async def on_request(self, request: Request) -> Response:
        """Tell the count, and how far each caller has come."""
        callers = await self.ctx.storage.list(prefix="caller-")
        count = await self.ctx.storage.get(COUNT, 0)
        return Response.json({"count": count, "lasts": [last for last, _ in callers.values()]})


class InterleavedCounter(Counter):
    """The same under the platform's own rule: what keeps others out is the reading alone."""

    interleave = True


class Caller(DurableObject):
    """Asks a counter for increments, some at a time, as long as it is given time."""

    async def on_request(self, request: Request) -> Response:
        """Make the increments `first` to `last`; answers the counts of those that were made."""
        asked = {name: found[0] for name, found in parse_qs(request.query).items()}
        clock = SystemClock()
        gives_up_at = clock.monotonic() + PATIENCE_SECONDS
        counts: list[int] = []
        number, last = int(asked["first"]), int(asked["last"])
        while number <= last and clock.monotonic() < gives_up_at:
            made = await self.ask(asked["counter"], range(number, last + 1)[:_AT_ONCE])
            counts += made
            number += len(made)
            if not made:
                await clock.sleep(_PAUSE_SECONDS)
        return Response.json(counts)

    async def ask(self, counter: str, numbers: range) -> list[int]:
        """The counts of these increments, up to the first one that nobody answered."""
        stub = self.ctx.namespace(counter).get_by_name("the one")
        calls = [stub.increment(self.ctx.id.name, number) for number in numbers]
        counts: list[int] = []
        try:
            for call in calls:  # all of them leave when the first one is awaited
                counts.append(await call)  # noqa: PERF401 - those before one that fails are kept
        except StateroomError as error:
            if not error.retryable:
                raise
        return counts


def mounts(*classes: type[Any]) -> str:
    """What mounts these classes."""
    return ",".join(f"{namespace_of(cls)}={__name__}:{cls.__name__}" for cls in classes)


def namespace_of(cls: type[Any]) -> str:
    """Where a class is mounted."""
    return cls.__name__.lower()
