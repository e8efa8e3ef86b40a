"""Every point in time that may be stored can be told."""

from datetime import UTC, datetime

import pytest

from app.core.instants import LATEST_MS, instant_of_ms, rfc3339


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (LATEST_MS, "9999-12-31T23:59:59.999Z"),
        (LATEST_MS + 1, "9999-12-31T23:59:59.999Z"),
        (1 << 62, "9999-12-31T23:59:59.999Z"),
        (-(1 << 62), "0001-01-01T00:00:00.000Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_told_to_the_millisecond_and_never_fails(
    milliseconds: int, told: str
) -> None:
    assert rfc3339(instant_of_ms(milliseconds)) == told


@pytest.mark.parametrize("instant", [datetime.min, datetime.max])  # noqa: DTZ901 - as they come
def test_the_infinities_of_the_database_driver_are_in_utc(instant: datetime) -> None:
    assert rfc3339(instant) == rfc3339(instant.replace(tzinfo=UTC))
