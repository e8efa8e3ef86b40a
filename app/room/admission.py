"""How an event gets into its room: what may come in, and how long it is good for.

What the object does by itself (timers, alarms, the comings and goings of its sockets) always gets
in. What others ask of it gets in within bounds: so many events and bytes that wait (`mailbox`), so
many requests in ten seconds, and nothing that had to wait for too long is run at all: who sent it
has given up, or will hear that it failed. (reference: durable-objects, section 5)
"""

from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, Final

from ..core.clock import Clock
from ..core.errors import QuotaExceeded, StateroomError, TooManyRequests
from .limits import RoomLimits
from .mailbox import Event
from .meter import Meter
from .room_events import RoomEvents

_WINDOW_SECONDS: Final = 10.0
_STEPS: Final = 10


class Origin(Enum):
    """Where an event comes from: the room itself, a socket, or somebody who waits for an answer."""

    ROOM = auto()
    MESSAGE = auto()
    REQUEST = auto()


class RequestRate:
    """How many requests came in the last ten seconds, counted in steps of one. Pure.

    Args:
        limit: One more is refused. What is refused does not count.
    """

    __slots__ = ("_counts", "_limit", "_step", "_total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: deque[int] = deque([0] * _STEPS, maxlen=_STEPS)
        self._total = 0
        self._step = 0

    def count(self, now: float) -> None:
        """Count a request at an instant of the monotonic clock.

        Raises:
            TooManyRequests: It is one too many.
        """
        step = int(now * _STEPS / _WINDOW_SECONDS)
        for _ in range(min(step - self._step, _STEPS)):
            self._total -= self._counts[0]
            self._counts.append(0)
        self._step = step
        if self._total >= self._limit:
            raise TooManyRequests(f"the limit is {self._limit} requests in 10 seconds")
        self._counts[-1] += 1
        self._total += 1


class Admission:
    """See the module.

    Args:
        events: Where they go.
        clock: For their age and their number.
        limits: The bounds.
        check: Called for each event; raises when the room takes none.
        rate: Counts the requests, if they are bounded.
        meter: Counts what comes in.
    """

    __slots__ = ("_check", "_clock", "_events", "_meter", "_queue_seconds", "_rate")

    def __init__(
        self,
        events: RoomEvents,
        clock: Clock,
        limits: RoomLimits,
        check: Callable[[], None],
        rate: RequestRate | None,
        meter: Meter,
    ) -> None:
        self._events = events
        self._clock = clock
        self._queue_seconds = limits.queue_seconds
        self._rate = rate
        self._meter = meter
        self._check = check

    def submit(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        fail: Callable[[Exception], None],
        size_bytes: int = 0,
        always: bool = False,
        uncounted: bool = False,
        timeout_seconds: float | None = None,
        origin: Origin = Origin.ROOM,
        bare: bool = False,
    ) -> None:
        """Queue an event (see `Mailbox.put`), or tell `fail` at once why not. Raises nothing."""
        event = Event(
            hook, size_bytes=size_bytes, fail=fail, timeout_seconds=timeout_seconds, bare=bare
        )
        try:
            self._check()
            if origin is not Origin.ROOM:
                if self._meter.refusing:
                    raise QuotaExceeded.until(self._meter.refusing)
                self._count(origin, size_bytes)
                now = self._clock.monotonic()
                event.good_until = now + self._queue_seconds
                if origin is Origin.REQUEST and self._rate is not None:
                    self._rate.count(now)
            self._events.submit(event, always=always, uncounted=uncounted)
        except StateroomError as error:
            fail(error)

    def _count(self, origin: Origin, size_bytes: int) -> None:
        meter = self._meter
        meter.bytes_in += size_bytes
        if origin is Origin.MESSAGE:
            meter.messages_in += 1
        else:
            meter.requests += 1
