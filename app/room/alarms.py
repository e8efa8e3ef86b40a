"""The alarms of one object as its room sees them: unconfirmed writes over committed rows.

Writes go into the buffer's running unit, like puts. Each write makes a new `Alarm`, so whether an
alarm is still the one that is being run is asked by identity: an alarm that was set again for the
same time, even within the run, is another one.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from ..core.clock import DatabaseClock
from ..core.ports import ObjectStore
from ..core.values import Alarm
from .buffer import UNKNOWN, Absence
from .commits import CommitLane

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LATEST_MS: Final = 253_402_300_799_999  # the end of 9999, which is as far as datetimes go


class RoomAlarms:
    """See the module.

    Args:
        lane: Has the buffer and what is known to be committed.
        store: Where committed alarms are read.
        database_clock: Tells what is past.
        heard: Whether the object's class has an `on_alarm`.
    """

    def __init__(
        self, lane: CommitLane, store: ObjectStore, database_clock: DatabaseClock, *, heard: bool
    ) -> None:
        self._lane = lane
        self._store = store
        self._database_clock = database_clock
        self._object_id = lane.claim.object_id
        self.heard = heard
        self.running: Alarm | None = None
        """The alarm whose `on_alarm` runs at the moment."""

    def look(self, name: str) -> Alarm | Absence | None:
        """Return the newest alarm of that name, None if there is none, or UNKNOWN."""
        found = self._lane.buffer.lookup_alarm(name)
        if found is UNKNOWN:
            return self._lane.alarms.lookup(name)
        return found if isinstance(found, Alarm) else None

    async def find(self, name: str) -> Alarm | None:
        """Return the newest alarm of that name, from the database if need be.

        Raises:
            StoreUnavailable: The database is away.
        """
        while isinstance(found := self.look(name), Absence):
            generation = self._lane.alarms.generation
            read = await self._store.alarm(self._object_id, name)
            self._lane.alarms.remember(name, read, generation=generation)
        return found

    def forget(self, name: str) -> None:
        """Ask the database at the next `find`, unless a write of our own is on its way."""
        self._lane.alarms.forget(name)

    def write(self, name: str, alarm: Alarm | None) -> None:
        """Set or delete an alarm in the running unit."""
        top = self._lane.buffer.top
        top.set_alarm(name, alarm)
        top.confirmed = True

    def set(self, name: str, when: datetime | int) -> None:
        """See `sdk.Storage.set_alarm`."""
        due_ms = _milliseconds(when)
        if not self.heard:
            raise TypeError("the class has no on_alarm")
        # Not rung before others that wait for longer, however long ago its time was.
        attempt_ms = max(due_ms, self._database_clock.now_ms())
        alarm = Alarm(due_ms=due_ms, next_attempt_ms=attempt_ms)
        standing = self.look(name)
        if standing != alarm or standing is self.running:
            self.write(name, alarm)

    async def due_ms(self, name: str) -> int | None:
        """See `sdk.Storage.get_alarm`."""
        alarm = await self.find(name)
        if alarm is None or alarm is self.running or alarm.next_attempt_ms is None:
            return None
        return alarm.due_ms


def _milliseconds(when: object) -> int:
    """The first whole millisecond that is not before `when`."""
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError("a naive datetime says no time: give it a timezone")
        due_ms = -((_EPOCH - when) // _MILLISECOND)
    elif isinstance(when, int) and not isinstance(when, bool):
        due_ms = when
    else:
        raise TypeError(f"a time is an aware datetime or whole milliseconds, not {when!r}")
    if not 0 < due_ms <= _LATEST_MS:
        raise ValueError("the time of an alarm lies between 1970 and 9999")
    return due_ms
