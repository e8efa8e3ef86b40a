"""Points in time as people and JSON see them; the engine itself counts milliseconds since 1970."""

from datetime import UTC, datetime, timedelta
from typing import Final

LATEST_MS: Final = 253_402_300_799_999
"""The end of 9999, which is as far as datetimes go."""

_EARLIEST_MS: Final = -62_135_596_800_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant_of_ms(milliseconds: int) -> datetime:
    """The instant that lies so many milliseconds after 1970 began, in UTC.

    One before the year 1 or after 9999 is told as the nearest that has a name: a repeated alarm
    may be next due then, and must not keep a list from being told.
    """
    known = min(max(milliseconds, _EARLIEST_MS), LATEST_MS)
    return _EPOCH + timedelta(milliseconds=known)


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC with milliseconds: `2026-01-31T08:15:00.000Z`.

    One without a time zone is taken for UTC: the first and the last instant of all come back from
    the database's driver so, for it reads them as infinities.
    """
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
