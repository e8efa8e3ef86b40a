"""The mailbox: events that wait for their turn. Pure and bounded.

Over the high-water mark (events or bytes) the room asks its sockets to stop reading; below the
low-water mark they may go on. What a socket had already read is still taken, up to the hard
bound of twice the mark: beyond that the event is refused. What waits may lose its worth: an event
says until when it is good.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from ..core.errors import QueueFull, QueueTooLarge
from .outgoing import EventTies

_HARD_FACTOR = 2


class Event:
    """One thing that happens to an object.

    Attributes:
        hook: What runs, with its arguments bound late so that a new instance is used.
        size_bytes: What it weighs in the mailbox.
        fail: Told when the event could not be run or its hook raised.
        timeout_seconds: How long the hook may take, where it is not as long as any.
        good_until: When its turn must have come, on the monotonic clock; None for no end.
        bare: Whether it needs the object's rows only: no instance is made for it.
        ties: Its calls, once there are any.
    """

    __slots__ = ("bare", "fail", "good_until", "hook", "size_bytes", "ties", "timeout_seconds")

    def __init__(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        size_bytes: int = 0,
        fail: Callable[[Exception], None],
        timeout_seconds: float | None = None,
        good_until: float | None = None,
        bare: bool = False,
    ) -> None:
        self.hook = hook
        self.size_bytes = size_bytes
        self.fail = fail
        self.timeout_seconds = timeout_seconds
        self.good_until = good_until
        self.bare = bare
        self.ties: EventTies | None = None


class Mailbox:
    """First in, first out.

    Args:
        limit_events: The high-water mark, in events.
        limit_bytes: The high-water mark, in bytes.
    """

    __slots__ = ("_bytes", "_limit_bytes", "_limit_events", "events")

    def __init__(self, *, limit_events: int, limit_bytes: int) -> None:
        self.events: deque[Event] | tuple[()] = ()
        """Those that wait, the oldest first; for looking only."""
        self._bytes = 0
        self._limit_events = limit_events
        self._limit_bytes = limit_bytes

    def __len__(self) -> int:
        return len(self.events)

    @property
    def size_bytes(self) -> int:
        """How large the events are that wait."""
        return self._bytes

    @property
    def over_high_water(self) -> bool:
        """Whether sockets should stop reading."""
        return len(self.events) >= self._limit_events or self._bytes >= self._limit_bytes

    @property
    def under_low_water(self) -> bool:
        """Whether sockets may read again."""
        return len(self.events) * 2 <= self._limit_events and self._bytes * 2 <= self._limit_bytes

    def put(self, event: Event, *, always: bool = False, uncounted: bool = False) -> None:
        """Append an event.

        `always` takes it whatever the bounds say: for events that are made once for each
        connection (it joined, it ended) and so are bounded by the number of connections.
        `uncounted` takes it whatever the bound of events says: for the message of a socket that
        was not asked to stop yet, and will be after this one.

        Raises:
            QueueFull: The hard bound of events is reached.
            QueueTooLarge: The hard bound of bytes is reached.
        """
        if not always:
            if self._bytes >= _HARD_FACTOR * self._limit_bytes:
                raise QueueTooLarge(f"{self._bytes} bytes wait for this object")
            if len(self.events) >= _HARD_FACTOR * self._limit_events and not uncounted:
                raise QueueFull(f"{len(self.events)} events wait for this object")
        if isinstance(self.events, deque):
            self.events.append(event)
        else:
            self.events = deque((event,))
        self._bytes += event.size_bytes

    def take(self) -> Event:
        """Remove and return the oldest event."""
        events = self.events
        if not isinstance(events, deque):
            raise IndexError("no event waits")
        event = events.popleft()
        if not events:
            self.events = ()  # a queue has room for sixty-four, and mostly nothing waits
        self._bytes -= event.size_bytes
        return event

    def drain(self) -> list[Event]:
        """Remove and return all events."""
        events = list(self.events)
        self.events = ()
        self._bytes = 0
        return events
