"""Which status an error has on the admin plane."""

import pytest

from app.core.admin_errors import AlarmRuns, KeyUnknown, PreconditionFailed, StorageGuarded
from app.core.errors import (
    CallRefused,
    CallTimedOut,
    LinkBroken,
    ObjectDeleted,
    ObjectFrozen,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    TooManyAlarms,
    Unsupported,
)
from app.web.admin.statuses import admin_status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyUnknown, 404),
        (AlarmRuns, 409),
        (StorageGuarded, 409),
        (TooManyAlarms, 409),
        (ObjectFrozen, 409),
        (Unsupported, 409),
        (ObjectDeleted, 410),
        (PreconditionFailed, 412),
        (CallRefused, 413),
        (StorageRefused, 422),
        (LinkBroken, 503),
        (StoreUnavailable, 503),
        (CallTimedOut, 504),
    ],
)
def test_what_a_change_of_an_object_can_meet_has_a_status_that_says_whose_turn_it_is(
    error: type[StateroomError], status: int
) -> None:
    assert admin_status(error) == admin_status(error()) == status
