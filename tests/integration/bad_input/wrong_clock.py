"""A program for tests: `stateroom` in a process whose wall clock is wrong.

Arguments: by how many seconds, then the command's own. Everything that Python offers for wall
time is moved before anything of ours is imported; the database, a process of its own, keeps the
right time, and so do the clocks that only measure.
"""

import datetime as dt
import sys
import time
from pathlib import Path
from typing import Any

_seconds_off = [0]
_clock: Any = time
_right_time: Any = getattr(_clock, "time")  # noqa: B009 - what this program is there to change
_right_time_ns = time.time_ns
_right_gmtime, _right_localtime = time.gmtime, time.localtime


class _WrongDatetime(dt.datetime):
    __slots__ = ()  # of the same size, for extension modules look

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return super().now(tz) + dt.timedelta(seconds=_seconds_off[0])

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(dt.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


def _now(seconds: Any = None) -> Any:
    return _right_time() + _seconds_off[0] if seconds is None else seconds


def _gmtime(seconds: Any = None) -> Any:
    return _right_gmtime(_now(seconds))


def _localtime(seconds: Any = None) -> Any:
    return _right_localtime(_now(seconds))


def move_the_clock(seconds: int) -> None:
    """Make every wall clock of this process wrong, from now on."""
    _seconds_off[0] = seconds
    replacements: dict[str, Any] = {
        "time": lambda: _right_time() + _seconds_off[0],
        "time_ns": lambda: _right_time_ns() + _seconds_off[0] * 1_000_000_000,
        "gmtime": _gmtime,
        "localtime": _localtime,
    }
    for name, replacement in replacements.items():
        setattr(_clock, name, replacement)
    dt.datetime = _WrongDatetime  # type: ignore[misc]  # that is the point


if __name__ == "__main__":
    move_the_clock(int(sys.argv.pop(1)))
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from stateroom.command import main

    main()
