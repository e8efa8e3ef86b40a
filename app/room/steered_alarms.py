"""What operators do with the alarms of an object: set, ring now, take away.

Like an author's own `set_alarm`, with the same bounds. Under each name stands one alarm at most,
set or given up.
"""

from dataclasses import replace
from typing import Final

from ..core.admin_errors import AlarmRuns, AlarmUnknown
from ..core.errors import Unsupported
from ..core.storage_codec import decode_value
from ..core.values import Alarm
from .steering import Manner, SteerAnswer, Steered, SteerHandler, refusing


def _set(steered: Steered) -> SteerAnswer:
    """`name`, `due_ms`, `every_ms` or None; the body is the payload in stored form, or empty."""
    meta = steered.meta
    every_ms = meta["every_ms"]
    payload = decode_value(steered.body) if steered.body else None
    with refusing():
        if not steered.alarms.heard:
            raise Unsupported("the class of this object has no on_alarm")
        steered.storage.set_alarm(
            int(meta["due_ms"]),
            name=meta["name"],
            payload=payload,
            every=None if every_ms is None else int(every_ms) / 1000,
        )
    return {}, b""


def _ring(steered: Steered) -> SteerAnswer:
    """`name`: ring one now that waits for its time or its next attempt, or was given up."""
    name = steered.meta["name"]
    with refusing():
        alarm = _standing(steered, name)
        if alarm.next_attempt_ms is None:
            steered.storage.retry_dead_alarm(name)
            return {"given_up": True}, b""
        # First as an author would, for the checks; the attempt alone is what changes.
        steered.storage.delete_alarm(name)
        steered.alarms.write(name, replace(alarm, next_attempt_ms=steered.now_ms))
    return {"given_up": False}, b""


def _remove(steered: Steered) -> SteerAnswer:
    """`name`: cancel one that is set, or forget one that was given up."""
    name = steered.meta["name"]
    with refusing():
        given_up = _standing(steered, name).next_attempt_ms is None
        if given_up:
            steered.storage.forget_dead_alarm(name)
        else:
            steered.storage.delete_alarm(name)
    return {"given_up": given_up}, b""


def _standing(steered: Steered, name: str) -> Alarm:
    """The alarm of that name.

    Raises:
        AlarmUnknown: There is none.
        AlarmRuns: It is being run, and what becomes of it is not decided.
        StorageRefused: It is no name of an author's alarm.
    """
    steered.storage.get_alarm(name).close()  # the checks of a name
    alarm = steered.alarms.look(name)
    if not isinstance(alarm, Alarm):
        raise AlarmUnknown
    if alarm is steered.alarms.running:
        raise AlarmRuns
    return alarm


ALARM_HANDLERS: Final = (
    SteerHandler(name="alarm_set", manner=Manner.TURN, run=_set),
    SteerHandler(name="alarm_ring", manner=Manner.TURN, run=_ring),
    SteerHandler(name="alarm_remove", manner=Manner.TURN, run=_remove),
)
