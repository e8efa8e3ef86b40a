"""Alarms: an object is woken at a time that it has set.

An alarm is kept in the database, so it outlives the instance, the worker and the machine, and
wakes an object that nobody holds. It is set with `ctx.storage.set_alarm` as part of the event's
unit: an event that raises has set none. `on_alarm` runs **at least once** for each alarm; after a
crash between the run and its commit it runs again, so what it does outside the object's storage
must bear repeating. (reference: durable-objects, section 10; conformance list, L)
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmInfo:
    """What `on_alarm` is told.

    Attributes:
        scheduled_for: The time the alarm was set for, milliseconds since 1970.
        retry_count: How many runs of this alarm the object's own code has failed before.
        name: Which alarm; the unnamed one is "".
    """

    scheduled_for: int
    retry_count: int = 0
    name: str = ""

    @property
    def is_retry(self) -> bool:
        """Whether an earlier run has failed."""
        return self.retry_count > 0
