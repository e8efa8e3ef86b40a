"""The alarms of one object as its room sees them: unconfirmed writes over committed rows.

Writes go into the buffer's running unit, like puts. Each write makes a new `Alarm`, so whether an
alarm is still the one that is being run is asked by identity: an alarm that was set again for the
same time, even within the run, is another one.

Under each name stands one alarm at most: set, or given up. When an instance starts, all are known
(`load`), so what authors ask and change needs no database; bounds are kept when an alarm is set.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from ..core.clock import DatabaseClock
from ..core.errors import ObjectFrozen, TooManyAlarms, UnitTooLarge
from ..core.limits import ALARMS, DEAD_ALARMS
from ..core.ports import ObjectStore
from ..core.values import Alarm
from .alarm_arguments import checked_interval, checked_payload, is_own
from .alarm_attempts import after_run
from .buffer import UNKNOWN, Absence, alarm_bytes
from .commits import CommitLane
from .instants import milliseconds


class Abort(Enum):
    """What an object that aborted itself in the run of an alarm wants of the alarm."""

    RETRY = auto()
    DROP = auto()


class RoomAlarms:
    """See the module.

    Args:
        lane: Has the buffer and what is known to be committed.
        store: Where committed alarms are read.
        database_clock: Tells what is past.
        heard: Whether the object's class has an `on_alarm`.
        unit_bytes: The most one event may write.
    """

    __slots__ = (
        "_database_clock",
        "_lane",
        "_object_id",
        "_store",
        "_unit_bytes",
        "aborted",
        "heard",
        "running",
    )

    def __init__(
        self,
        lane: CommitLane,
        store: ObjectStore,
        database_clock: DatabaseClock,
        *,
        heard: bool,
        unit_bytes: int,
    ) -> None:
        self._lane = lane
        self._store = store
        self._database_clock = database_clock
        self._unit_bytes = unit_bytes
        self._object_id = lane.claim.object_id
        self.heard = heard
        self.running: Alarm | None = None
        """The alarm whose `on_alarm` runs at the moment; there is never more than one."""
        self.aborted: Abort | None = None
        """What was said when the object aborted itself while one ran."""

    # -- what is known -------------------------------------------------------------------------

    async def load(self, *, alarmed: bool) -> None:
        """Read all alarms; `alarmed`: whether there are any.

        Raises:
            StoreUnavailable: The database is away.
        """
        generation = self._lane.alarms.generation
        found = await self._store.alarms(self._object_id) if alarmed else {}
        self._lane.alarms.fill(found, generation=generation)

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
            await self.refresh(name)
        return found

    async def refresh(self, name: str) -> None:
        """Read a committed alarm again; unconfirmed writes of our own lie over it.

        Raises:
            StoreUnavailable: The database is away.
        """
        generation = self._lane.alarms.generation
        read = await self._store.alarm(self._object_id, name)
        self._lane.alarms.remember(name, read, generation=generation)

    def standing(self) -> dict[str, Alarm]:
        """Every alarm of the author's that is known, set or given up."""
        wiped, changes = self._lane.buffer.overlay_alarms()
        merged: Mapping[str, Alarm | None] = changes
        if not wiped:
            merged = self._lane.alarms.all() | changes
        return {
            name: alarm for name, alarm in merged.items() if alarm is not None and not is_own(name)
        }

    def check_thawed(self) -> None:
        """See that alarms may run and change.

        Raises:
            ObjectFrozen: They may not.
        """
        if self._lane.frozen:
            raise ObjectFrozen

    # -- changes -------------------------------------------------------------------------------

    def write(self, name: str, alarm: Alarm | None, *, confirmed: bool = True) -> None:
        """Set or delete an alarm in the running unit, whatever its size.

        Raises:
            ObjectFrozen: The object takes no changes.
        """
        self.check_thawed()
        top = self._lane.buffer.top
        top.set_alarm(name, alarm)
        top.confirmed = top.confirmed or confirmed

    def set(
        self,
        name: str,
        when: datetime | int,
        *,
        payload: Any,
        every: timedelta | float | None,
        confirmed: bool,
    ) -> None:
        """See `sdk.AlarmStorage.set_alarm`."""
        due_ms = milliseconds(when)
        every_ms = checked_interval(every)
        stored = checked_payload(payload)
        if not self.heard:
            raise TypeError("the class has no on_alarm")
        # Not rung before others that wait for longer, however long ago its time was.
        attempt_ms = max(due_ms, self._database_clock.now_ms())
        alarm = Alarm(due_ms=due_ms, next_attempt_ms=attempt_ms, payload=stored, every_ms=every_ms)
        standing = self.look(name)
        if standing == alarm and standing is not self.running:
            return
        self._check_bounds(name, alarm, standing)
        self.write(name, alarm, confirmed=confirmed)

    def delete(self, name: str, *, confirmed: bool) -> None:
        """See `sdk.AlarmStorage.delete_alarm`."""
        standing = self.look(name)
        if isinstance(standing, Alarm) and standing.next_attempt_ms is not None:
            self._check_size(name, None)
            self.write(name, None, confirmed=confirmed)

    def revive(self, name: str) -> bool:
        """See `sdk.AlarmStorage.retry_dead_alarm`."""
        dead = self._dead(name)
        if dead is None:
            return False
        now_ms = self._database_clock.now_ms()
        alarm = replace(dead, next_attempt_ms=now_ms, counted_attempts=0, uncounted_attempts=0)
        self._check_bounds(name, alarm, dead)
        self.write(name, alarm)
        return True

    def bury(self, name: str) -> bool:
        """See `sdk.AlarmStorage.forget_dead_alarm`."""
        if self._dead(name) is None:
            return False
        self._check_size(name, None)
        self.write(name, None)
        return True

    def crowd_out(self) -> list[str]:
        """Forget the longest dead of those over the bound; returns their names."""
        dead = self.dead()
        excess = [name for name, _ in dead[: max(0, len(dead) - DEAD_ALARMS)]]
        for name in excess:
            self.write(name, None)
        return excess

    def note_abort(self, abort: Abort) -> None:
        """The object throws itself away: note what that means for the alarm that runs."""
        if self.running is not None:
            self.aborted = abort

    # -- what authors see ----------------------------------------------------------------------

    def seen(self, alarm: Alarm) -> Alarm | None:
        """The alarm as its author is told of it: not the one that runs, nor one given up."""
        if alarm is self.running:
            return after_run(alarm, now_ms=self._database_clock.now_ms())
        return alarm if alarm.next_attempt_ms is not None else None

    def live(self) -> list[tuple[str, Alarm]]:
        """The alarms that are set as authors see them, in the order of their times and names."""
        seen = ((name, self.seen(alarm)) for name, alarm in self.standing().items())
        found = [(name, alarm) for name, alarm in seen if alarm is not None]
        return sorted(found, key=lambda each: (each[1].due_ms, each[0]))

    def dead(self) -> list[tuple[str, Alarm]]:
        """The alarms that are given up, the longest dead first."""
        dead = [each for each in self.standing().items() if each[1].next_attempt_ms is None]
        return sorted(dead, key=lambda each: (_died_ms(each[1]), each[0]))

    # -- inside --------------------------------------------------------------------------------

    def _dead(self, name: str) -> Alarm | None:
        alarm = self.look(name)
        if isinstance(alarm, Alarm) and alarm.next_attempt_ms is None:
            return alarm
        return None

    def _check_bounds(self, name: str, alarm: Alarm, standing: Alarm | Absence | None) -> None:
        self._check_size(name, alarm)
        if isinstance(standing, Alarm) and standing.next_attempt_ms is not None:
            return  # it takes the place of one
        lane = self._lane
        if len(lane.alarms) + lane.buffer.alarm_writes >= ALARMS and len(self.live()) >= ALARMS:
            raise TooManyAlarms(f"the object has {ALARMS} alarms, which is the limit")

    def _check_size(self, name: str, alarm: Alarm | None) -> None:
        size = self._lane.buffer.unit_bytes + alarm_bytes(name, alarm)
        if size > self._unit_bytes:
            raise UnitTooLarge(f"one event wrote {size} bytes, the limit is {self._unit_bytes}")


def _died_ms(alarm: Alarm) -> int:
    return alarm.failure.at_ms if alarm.failure is not None else alarm.due_ms
