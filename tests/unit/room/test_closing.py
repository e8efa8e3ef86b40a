"""With which code a room closes its sockets."""

import pytest

from app.core.errors import (
    EventTimedOut,
    LeaseLost,
    ObjectDeleted,
    ObjectFault,
    ObjectFrozen,
    Overloaded,
    OwnedElsewhere,
    OwnershipLost,
    RoomAborted,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    Unsupported,
    WorkerLeaving,
)
from app.room.closing import GOING_AWAY, close_for


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (Overloaded(), (1013, "overloaded")),
        (StoreUnavailable(), (1013, "database_unavailable")),
        (LeaseLost(), (1013, "lease_lost")),
        (ObjectFrozen(), (1013, "object_frozen")),
        (ObjectDeleted(), (1000, "object_deleted")),
        (OwnershipLost(), (1012, "ownership_lost")),
        (OwnedElsewhere(), (1012, "owned_elsewhere")),
        (RoomAborted(), (1012, "room_aborted")),
        (WorkerLeaving(), (1012, "worker_leaving")),
        (ObjectFault("secret"), (1011, "object_fault")),
        (EventTimedOut(), (1011, "event_timed_out")),
        (StorageRefused("secret"), (1011, "storage_refused")),
        (Unsupported(), (1011, "unsupported")),
        (StateroomError(), (1011, "internal")),
        (RuntimeError("secret"), (1011, "object_fault")),
    ],
)
def test_the_code_says_when_to_come_back_and_the_reason_is_never_the_errors_text(
    error: Exception, close: tuple[int, str]
) -> None:
    assert close_for(error) == close


def test_a_room_that_goes_away_in_good_order_says_come_back_soon() -> None:
    assert GOING_AWAY.code == 1012
