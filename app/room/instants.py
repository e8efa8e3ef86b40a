"""Times as authors say them: aware datetimes, or whole milliseconds since 1970."""

from datetime import UTC, datetime, timedelta
from typing import Final

from ..core.instants import LATEST_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds(when: object) -> int:
    """Return the first whole millisecond since 1970 that is not before `when`.

    Raises:
        TypeError: It is no time.
        ValueError: The datetime is naive, or the time not between 1970 and 9999.
    """
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError("a naive datetime says no time: give it a timezone")
        found_ms = -((_EPOCH - when) // _MILLISECOND)
    elif isinstance(when, int) and not isinstance(when, bool):
        found_ms = when
    else:
        raise TypeError(f"a time is an aware datetime or whole milliseconds, not {when!r}")
    if not 0 < found_ms <= LATEST_MS:
        raise ValueError("the time lies between 1970 and 9999")
    return found_ms
