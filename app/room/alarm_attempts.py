"""When an alarm whose run failed is rung next. Pure.

Runs that the author's code failed are counted: after 2 s, 4 s, 8 s, 16 s, 32 s and 64 s it is tried
again, and after the sixth retry it is given up. Runs that ended by a fault of ours (the database
away, the lease lost) are not: those are tried again for ever, at most 1,024 s apart. A part of
chance, up to a quarter, is added, so that what failed together does not come back together.
(reference: durable-objects, section 10)
"""

from dataclasses import replace
from typing import Final

from ..core.values import Alarm

RETRIES: Final = 6
_FIRST_MS: Final = 2_000
_LONGEST_DOUBLINGS: Final = 9
_CHANCE: Final = 0.25


def after_fault(alarm: Alarm, *, now_ms: int, chance: float) -> Alarm:
    """The alarm after the author's code failed a run; without next attempt when it is given up.

    `chance` lies between 0 and 1.
    """
    failed = alarm.counted_attempts + 1
    given_up = failed > RETRIES
    return replace(
        alarm,
        counted_attempts=failed,
        next_attempt_ms=None if given_up else now_ms + _pause_ms(failed - 1, chance),
    )


def after_setback(alarm: Alarm, *, now_ms: int, chance: float) -> Alarm:
    """The alarm after a run was ended by what is not the author's fault."""
    return replace(
        alarm,
        uncounted_attempts=alarm.uncounted_attempts + 1,
        next_attempt_ms=now_ms + _pause_ms(alarm.uncounted_attempts, chance),
    )


def _pause_ms(doublings: int, chance: float) -> int:
    pause = _FIRST_MS << min(doublings, _LONGEST_DOUBLINGS)
    return pause + int(pause * _CHANCE * chance)
