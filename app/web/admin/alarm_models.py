"""What is asked and told of alarms."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from ...core.alarm_lists import is_internal
from ...core.limits import ALARM_EVERY_MOST_MS, ALARM_EVERY_MS
from ...core.tagged_json import to_tagged
from ...core.values import Alarm
from .models import Asked, Instant, PageQuery, Told, instant_of_ms


class AlarmFailureTold(Told):
    """How the last failed run of an alarm ended."""

    error_class: str
    """The class of the exception."""
    error_text: str
    """Its text, cut to a bound."""
    at: Instant
    """When."""


class AlarmTold(Told):
    """One alarm, as it is committed."""

    name: str
    """Which of the object's alarms; empty for the one without a name."""
    state: Literal["set", "given_up"]
    """Whether it will be rung, or was given up and is kept to be looked at."""
    internal: bool
    """Whether it is the service's own, which can only be read."""
    due_at: Instant
    """What it was set for."""
    next_attempt_at: Instant | None
    """When it is rung next: later than it was set for, after a run that failed."""
    every_seconds: float | None
    """Its interval, if it repeats."""
    payload: Any
    """What its run is given, as tagged JSON."""
    failed_runs: int
    """How many runs the object's code has failed."""
    interrupted_runs: int
    """How many runs were ended by faults that were not its own."""
    failure: AlarmFailureTold | None
    """How the last run ended, if it failed."""

    @classmethod
    def fields_of(cls, name: str, alarm: Alarm) -> dict[str, Any]:
        """The fields of an alarm."""
        next_ms, failure = alarm.next_attempt_ms, alarm.failure
        return {
            "name": name,
            "state": "given_up" if next_ms is None else "set",
            "internal": is_internal(name),
            "due_at": instant_of_ms(alarm.due_ms),
            "next_attempt_at": None if next_ms is None else instant_of_ms(next_ms),
            "every_seconds": None if alarm.every_ms is None else alarm.every_ms / 1000,
            "payload": None if alarm.payload is None else to_tagged(alarm.payload),
            "failed_runs": alarm.counted_attempts,
            "interrupted_runs": alarm.uncounted_attempts,
            "failure": failure
            and AlarmFailureTold(
                error_class=failure.error_class,
                error_text=failure.error_text,
                at=instant_of_ms(failure.at_ms),
            ),
        }


class AlarmOfObject(AlarmTold):
    """One alarm of some object."""

    namespace: str
    """Of its object."""
    object: str | None
    """The name of its object, if it has one."""
    object_id: str
    """The id of its object."""


class AlarmsTold(Told):
    """All alarms of an object."""

    items: list[AlarmTold]
    """In the order of their next attempts, those that were given up at the end."""


class DueQuery(PageQuery):
    """Which alarms."""

    until: AwareDatetime | None = None
    """Only those whose next attempt is before this."""


class GivenUpQuery(PageQuery):
    """Which alarms."""

    namespace: str | None = None
    """Only those of its objects."""


class AlarmToSet(Asked):
    """An alarm."""

    due_at: AwareDatetime
    """When it is to ring; at once, if that is past."""
    payload: Any = None
    """What its run is given, as tagged JSON; at most 4,096 bytes as it is stored."""
    every_seconds: (
        Annotated[float, Field(ge=ALARM_EVERY_MS / 1000, le=ALARM_EVERY_MOST_MS / 1000)] | None
    ) = None
    """Its interval, if it is to repeat."""


class AlarmChanged(Told):
    """What came of it."""

    was_given_up: bool
    """Whether the alarm had been given up, and was not waiting for its time."""
