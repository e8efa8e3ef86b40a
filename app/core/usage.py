"""What objects cost: the figures that are counted of each, and where they are kept by the day.

Rooms count (`room.meter`), each worker gathers (`room.ledger`), the database keeps sums by object
and day. All of it is for people and for quotas: a worker that dies loses what it had not written
yet, and nothing of a commit waits for it. (docs/decisions/0044)
"""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from operator import add
from typing import NamedTuple, Protocol

from .ids import ObjectId


class Usage(NamedTuple):
    """What one object, or many together, cost in some time. All figures only ever add up.

    Attributes:
        cpu_us: Microseconds for which it kept the worker's one thread busy: its events, what
            they start, and what its sends take. Of plain hooks of small messages one in sixteen
            is timed.
        wall_us: Microseconds for which its queued events ran or waited, added up.
        events: Events that ran.
        messages_in: Messages of its sockets.
        messages_out: Messages to its sockets, one for each that gets it.
        requests: HTTP requests and calls of other objects.
        bytes_in: How large messages, requests and calls were; text counts by its characters.
        bytes_out: How large messages to sockets, answers and calls of its own were.
        commits: Commits that changed anything.
        rows_written: Keys that they wrote or removed.
        bytes_written: How large those were.
        wakes: Instances that were started.
        alarms: Alarms that were run.
    """

    cpu_us: int = 0
    wall_us: int = 0
    events: int = 0
    messages_in: int = 0
    messages_out: int = 0
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    commits: int = 0
    rows_written: int = 0
    bytes_written: int = 0
    wakes: int = 0
    alarms: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(*map(add, self, other))


NOTHING = Usage()


class UsageMeasure(StrEnum):
    """What objects can be ranked by."""

    CPU = "cpu"
    EVENTS = "events"
    BYTES_IN = "bytes_in"
    BYTES_OUT = "bytes_out"
    COMMITS = "commits"

    def of(self, usage: Usage) -> int:
        """The figure."""
        return int(getattr(usage, self.field))

    @property
    def field(self) -> str:
        """Which field of `Usage`, and which column, it is."""
        return "cpu_us" if self is UsageMeasure.CPU else self.value


class UsedObject(NamedTuple):
    """What an object cost, in whatever time is asked for."""

    object_id: ObjectId
    usage: Usage


class UsageByDay(NamedTuple):
    """What an object cost on a day (UTC)."""

    day: date
    usage: Usage


class UsageBook(Protocol):
    """Sums by object and day. All raise StoreUnavailable when the database is away."""

    async def add(self, used: Sequence[UsedObject]) -> None:
        """Add to the sums of today. Repeated after an error it may count twice."""
        ...

    async def days(self, object_id: ObjectId, *, days: int) -> list[UsageByDay]:
        """The sums of an object for the last days of which there are any, the newest first."""
        ...

    async def top(self, measure: UsageMeasure, *, limit: int) -> list[UsedObject]:
        """Those objects that have cost most today, the most expensive first."""
        ...
