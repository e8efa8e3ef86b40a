"""Alarms: an object is woken at times that it has set.

An alarm is kept in the database, so it outlives the instance, the worker and the machine, and
wakes an object that nobody holds. It is set with `ctx.storage.set_alarm` as part of the event's
unit: an event that raises has set none. `on_alarm` runs **at least once** for each alarm; after a
crash between the run and its commit it runs again, so what it does outside the object's storage
must bear repeating. No two alarms of one object run at the same time.

An object has any number of them (up to 1,000) by names of its own choice; the one that is set
without a name is called "". An alarm may carry a payload, and may repeat.

**An alarm that repeats** (`every`) is set anew in the commit of its own run, for the next time
counted from the time it was set for, so it does not drift. Periods that have passed meanwhile
(the service was down, the run or its retries took longer) are not made up for: one run stands
for all of them. A run that fails is retried like any other, and when the retries are used up
the series goes on with its next regular time: a series is never given up. It ends when it is
deleted, also by its own run.

**A single alarm that is given up** after six retries stays as a dead letter, with the error, until
it is retried, forgotten, set anew under its name, or crowded out by a hundred younger ones.
(reference: durable-objects, section 10; conformance list, L; ADR 0017)
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from ..core.values import AlarmFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmInfo:
    """What `on_alarm` is told.

    Attributes:
        scheduled_for: The time the alarm was set for, milliseconds since 1970; for one that
            repeats, the time this run is for.
        retry_count: How many runs of this alarm the object's own code has failed before.
        name: Which alarm; the unnamed one is "".
        payload: What it was set with.
        every: The interval of an alarm that repeats.
    """

    scheduled_for: int
    retry_count: int = 0
    name: str = ""
    payload: Any = None
    every: timedelta | None = None

    @property
    def is_retry(self) -> bool:
        """Whether an earlier run has failed."""
        return self.retry_count > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEntry:
    """An alarm that is set, as `list_alarms` tells it.

    Attributes:
        name: Which alarm; the unnamed one is "".
        scheduled_for: The time it is set for, milliseconds since 1970.
        next_run: When it is run next: the same time, or that of the retry after a failed run.
        every: The interval of an alarm that repeats.
        payload: What it was set with.
        retry_count: How many runs the object's own code has failed.
        failure: What came of the last run, if that has failed.
    """

    name: str
    scheduled_for: int
    next_run: int
    every: timedelta | None = None
    payload: Any = None
    retry_count: int = 0
    failure: AlarmFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadAlarm:
    """An alarm that was given up, as `dead_alarms` tells it.

    Attributes:
        name: Which alarm; the unnamed one is "".
        scheduled_for: The time it was set for, milliseconds since 1970.
        payload: What it was set with.
        runs: How many runs have failed.
        failure: What came of the last one.
    """

    name: str
    scheduled_for: int
    payload: Any
    runs: int
    failure: AlarmFailure


class AlarmStorage(Protocol):
    """The alarms of an object: a part of `ctx.storage`.

    All alarms of an object are loaded with it, so nothing here waits for the database. Names are
    text of at most 256 bytes without NUL. What sets or deletes takes effect at once;
    awaiting it is optional. Every call raises StorageRefused for a name that is none.
    """

    def set_alarm(
        self,
        when: datetime | int,
        *,
        name: str = "",
        payload: Any = None,
        every: timedelta | float | None = None,
        allow_unconfirmed: bool = False,
    ) -> Awaitable[None]:
        """Have `on_alarm` run at `when`, in place of what was set under this name before.

        It is part of the event's unit like a put, and of an open transaction. A time in the past
        means at once. A dead letter of the name is gone with it.

        Args:
            when: An aware datetime, or milliseconds since 1970 by `ctx.now()`.
            name: Which alarm.
            payload: Handed to `on_alarm`; of the types that storage takes, at most 4,096 bytes
                in stored form.
            every: Repeat after this interval, a timedelta or seconds; at least one second.
            allow_unconfirmed: Sends do not wait for it.

        Raises:
            TypeError: The class has no `on_alarm`, or `when` or `every` is no time.
            ValueError: The datetime is naive, or the time not between 1970 and 9999, or the
                interval out of its bounds.
            StorageRefused: The payload is too large, or of a type that cannot be stored.
            TooManyAlarms: 1,000 alarms are set.
            Unsupported: The namespace has durability `none`.
        """
        ...

    async def get_alarm(self, name: str = "") -> int | None:
        """Return the time that is set, milliseconds since 1970, or None.

        While `on_alarm` runs it is None unless the alarm was set again; for one that repeats it
        is the next time. Between a run that failed and its retry it is still the time that was
        set. None for one that was given up.
        """
        ...

    async def list_alarms(self) -> list[AlarmEntry]:
        """Return every alarm that is set, in the order of their times, then names.

        What `get_alarm` tells as None is not among them.
        """
        ...

    def delete_alarm(self, name: str = "", *, allow_unconfirmed: bool = False) -> Awaitable[None]:
        """Forget the alarm; harmless when none is set. A run that has begun goes on.

        In its own run this ends a series, and takes back what the run has set under the name.
        A dead letter stays.
        """
        ...

    async def dead_alarms(self) -> list[DeadAlarm]:
        """Return the dead letters, the longest dead first."""
        ...

    def retry_dead_alarm(self, name: str = "") -> Awaitable[bool]:
        """Have a dead letter run at once, as if it had never failed; await whether there was one.

        Raises:
            TooManyAlarms: 1,000 alarms are set.
        """
        ...

    def forget_dead_alarm(self, name: str = "") -> Awaitable[bool]:
        """Forget a dead letter; awaiting tells whether there was one."""
        ...
