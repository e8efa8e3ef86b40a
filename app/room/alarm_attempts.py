"""What stands of an alarm after a run of it. Pure.

A run that ended well ends a single alarm, and sets one that repeats for its next time: the first
of its series that has not come yet, so times that have passed are not made up for.

Runs that the author's code failed are counted: after 2 s, 4 s, 8 s, 16 s, 32 s and 64 s it is tried
again, and after the sixth retry it is given up; a series goes on with its next time. Runs that
ended by a fault of ours (the database away, the lease lost) are not: those are tried again for
ever, at most 1,024 s apart. A part of chance, up to a quarter, is added, so that what failed
together does not come back together. (reference: durable-objects, section 10)
"""

from dataclasses import replace
from typing import Final

from ..core.values import Alarm, AlarmFailure

RETRIES: Final = 6
LATEST_MS: Final = 253_402_300_799_999
"""The end of 9999, which is as far as datetimes go."""
_FIRST_MS: Final = 2_000
_LONGEST_DOUBLINGS: Final = 9
_CHANCE: Final = 0.25


def after_run(alarm: Alarm, *, now_ms: int) -> Alarm | None:
    """The alarm after a run that ended well; None when that was the last."""
    every = alarm.every_ms
    if every is None:
        return None
    periods = max(1, (now_ms - alarm.due_ms) // every + 1)
    due_ms = alarm.due_ms + periods * every
    if due_ms > LATEST_MS:
        return None
    return Alarm(due_ms=due_ms, next_attempt_ms=due_ms, payload=alarm.payload, every_ms=every)


def after_fault(alarm: Alarm, *, failure: AlarmFailure, now_ms: int, chance: float) -> Alarm:
    """The alarm after the author's code failed a run; without next attempt when it is given up.

    `chance` lies between 0 and 1.
    """
    failed = alarm.counted_attempts + 1
    following = replace(alarm, counted_attempts=failed, next_attempt_ms=None, failure=failure)
    if failed <= RETRIES:
        return replace(following, next_attempt_ms=now_ms + _pause_ms(failed - 1, chance))
    next_time = after_run(alarm, now_ms=now_ms)
    return following if next_time is None else replace(next_time, failure=failure)


def after_setback(alarm: Alarm, *, failure: AlarmFailure, now_ms: int, chance: float) -> Alarm:
    """The alarm after a run was ended by what is not the author's fault."""
    return replace(
        alarm,
        uncounted_attempts=alarm.uncounted_attempts + 1,
        next_attempt_ms=now_ms + _pause_ms(alarm.uncounted_attempts, chance),
        failure=failure,
    )


def _pause_ms(doublings: int, chance: float) -> int:
    pause = _FIRST_MS << min(doublings, _LONGEST_DOUBLINGS)
    return pause + int(pause * _CHANCE * chance)
