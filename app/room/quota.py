"""One object's account with its quotas: buckets that fill with time and empty with use. Pure.

A bucket holds what a quota allows in a while (a minute of CPU time, ten seconds of events and of
bytes), so a burst is as good as a steady pace. The object is warned of when a bucket is nearly
empty, over when one is empty, and within its quotas again when a tenth is back. Debts are
bounded by what a bucket holds, so that one costly event does not shut an object for long.
"""

from enum import Enum, auto
from typing import Final

from ..core.quotas import Quotas
from .meter import Meter

_CPU_SECONDS: Final = 60.0
_OTHER_SECONDS: Final = 10.0
_NEAR: Final = 0.2
"""What is left of a bucket when people are warned."""
_CALM: Final = 0.5
"""What must be back before they are told that all is well, lest they be warned all the time."""
_AGAIN: Final = 0.1
"""What must be back in a bucket before the object is served again."""


class Standing(Enum):
    """How an object stands with its quotas."""

    WITHIN = auto()
    NEAR = auto()
    OVER = auto()


class _Bucket:
    """One quota."""

    __slots__ = ("_level", "_most", "_rate", "name")

    def __init__(self, name: str, rate: float, seconds: float) -> None:
        self.name = name
        self._rate = rate
        self._most = self._level = rate * seconds

    @property
    def full(self) -> bool:
        return self._level >= self._most

    @property
    def part(self) -> float:
        """How much of it is left; less than 0 is a debt."""
        return self._level / self._most

    def pass_time(self, seconds: float, used: float) -> None:
        level = self._level + self._rate * seconds - used
        self._level = min(max(level, -self._most), self._most)

    def seconds_until(self, part: float) -> float:
        return max(0.0, (part * self._most - self._level) / self._rate)


class QuotaAccount:
    """See the module.

    Args:
        quotas: What the object may cost.

    Attributes:
        standing: How it stands.
        reason: Which quota it is near to or over, by its name; empty while it is within all.
    """

    __slots__ = ("_bytes", "_cpu", "_events", "_seen", "reason", "standing")

    def __init__(self, quotas: Quotas) -> None:
        cpu, events, size = (
            quotas.cpu_seconds_per_minute,
            quotas.events_per_second,
            quotas.bytes_per_second,
        )
        self._cpu = cpu and _Bucket("cpu_seconds_per_minute", cpu / 60, _CPU_SECONDS)
        self._events = events and _Bucket("events_per_second", events, _OTHER_SECONDS)
        self._bytes = size and _Bucket("bytes_per_second", size, _OTHER_SECONDS)
        self._seen = (0, 0, 0)
        self.standing = Standing.WITHIN
        self.reason = ""

    @property
    def _buckets(self) -> list[_Bucket]:
        return [bucket for bucket in (self._cpu, self._events, self._bytes) if bucket]

    @property
    def settled(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.standing is Standing.WITHIN and all(bucket.full for bucket in self._buckets)

    @property
    def wait_seconds(self) -> int:
        """In how many seconds it is within its quotas again, if it costs nothing meanwhile."""
        if self.standing is not Standing.OVER:
            return 0
        return 1 + int(max(bucket.seconds_until(_AGAIN) for bucket in self._buckets))

    def charge(self, meter: Meter, seconds: float = 0.0) -> None:
        """Take what the meter has counted since the last call; so much time has passed."""
        reading = _reading(meter)
        cpu, events, size = (now - seen for now, seen in zip(reading, self._seen, strict=True))
        self._seen = reading
        self._pass(seconds, cpu / 1e9, events, size)

    def restart(self, meter: Meter) -> None:
        """The meter counts anew from where it is."""
        self._seen = _reading(meter)

    def rest(self, seconds: float) -> None:
        """So much time has passed, and the object has no meter."""
        self._pass(seconds, 0, 0, 0)

    def judge(self) -> bool:
        """Look how it stands; returns whether that has changed."""
        before = self.standing
        least = min(self._buckets, key=lambda bucket: bucket.part)
        if least.part <= 0 or (before is Standing.OVER and least.part < _AGAIN):
            self.standing, self.reason = Standing.OVER, least.name
        elif least.part < (_NEAR if before is Standing.WITHIN else _CALM):
            self.standing, self.reason = Standing.NEAR, least.name
        else:
            self.standing, self.reason = Standing.WITHIN, ""
        return self.standing is not before

    def _pass(self, seconds: float, cpu_seconds: float, events: int, size_bytes: int) -> None:
        for bucket, used in (
            (self._cpu, cpu_seconds),
            (self._events, events),
            (self._bytes, size_bytes),
        ):
            if bucket:
                bucket.pass_time(seconds, used)


def _reading(meter: Meter) -> tuple[int, int, int]:
    return meter.cpu_ns, meter.all_events, meter.bytes_in + meter.bytes_out
