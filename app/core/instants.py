"""Points in time as people and JSON see them; the engine itself counts milliseconds since 1970."""

from datetime import UTC, datetime


def instant_of_ms(milliseconds: int) -> datetime:
    """The instant that lies so many milliseconds after 1970 began, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC with milliseconds: `2026-01-31T08:15:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
