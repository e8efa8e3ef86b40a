"""What the admin plane says of what objects cost."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from ...core.usage import Usage, UsageMeasure
from .models import Asked, Told

MOST_DAYS = 366
MOST_RANKED = 200


class UsageTold(Told):
    """What was counted of an object in some time."""

    cpu_us: int
    """Microseconds for which it kept its worker's thread busy; of small events a sample is
    timed, so this is good over many and rough over a few."""
    wall_us: int
    """Microseconds for which its queued events ran or waited, added up."""
    events: int
    """Events that ran."""
    messages_in: int
    """Messages of its sockets."""
    messages_out: int
    """Messages to its sockets, one for each that got it."""
    requests: int
    """HTTP requests and calls of other objects."""
    bytes_in: int
    """How large messages, requests and calls were; text counts by its characters."""
    bytes_out: int
    """How large messages to sockets, answers and its own calls were."""
    commits: int
    """Commits that changed anything."""
    rows_written: int
    """Keys that they wrote or removed."""
    bytes_written: int
    """How large those were."""
    wakes: int
    """Instances that were started."""
    alarms: int
    """Alarms that were run."""

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """Say what was counted."""
        return cls.model_validate(usage._asdict())


class UsageNowTold(Told):
    """What an object has cost lately, as its worker counted it."""

    seconds: float
    """How long that was."""
    usage: UsageTold
    """What was counted in this time."""


class DayTold(Told):
    """What an object cost on one day."""

    day: date
    """Which, in UTC."""
    usage: UsageTold
    """What was counted, whichever workers held it; the last half a minute may be missing."""


class ObjectUsageTold(Told):
    """What an object costs."""

    now: UsageNowTold | None
    """Lately; null while nobody holds it, or when its holder did not answer."""
    days: list[DayTold]
    """By day, the last first; days on which nothing happened are left out."""


class Ranking(StrEnum):
    """What objects are ranked by."""

    CPU = "cpu"
    EVENTS = "events"
    BYTES_IN = "bytes_in"
    BYTES_OUT = "bytes_out"
    COMMITS = "commits"
    STORED_BYTES = "stored_bytes"

    @property
    def measure(self) -> UsageMeasure | None:
        """The figure that is counted; None for what is stored."""
        return None if self is Ranking.STORED_BYTES else UsageMeasure(self.value)


class RankedTime(StrEnum):
    """Which time a ranking is of."""

    NOW = "now"
    DAY = "day"


class UsageQuery(Asked):
    """Of how many days."""

    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 7
    """At most so many."""


class TopQuery(Asked):
    """Which ranking."""

    by: Ranking = Ranking.CPU
    """What makes an object costly."""
    window: RankedTime = RankedTime.NOW
    """Lately, or on this day (UTC). What is stored has no time."""
    limit: Annotated[int, Field(ge=1, le=MOST_RANKED)] = 20
    """Most objects of the answer."""


class RankedObject(Told):
    """An object of a ranking."""

    id: str
    """64 hex digits."""
    namespace: str
    """The class it belongs to."""
    name: str | None
    """What it was first reached by."""
    amount: float
    """What it is ranked by: of `now` a second (CPU in microseconds), of `day` the day's sum, of
    `stored_bytes` what it stores."""
    seconds: float | None
    """Of `now`: how long `usage` is of; else null."""
    usage: UsageTold | None
    """What was counted; null in a ranking by what is stored."""


class TopTold(Told):
    """The most costly objects, the most costly first."""

    items: list[RankedObject]
    """Objects that cost nothing are left out."""
    silent_workers: int
    """How many live workers did not answer in time: their objects are missing from `now`."""
