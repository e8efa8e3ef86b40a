"""What an error of the driver means."""

import asyncpg
import pytest

from app.core.errors import (
    DatabaseRefused,
    DatabaseUnreachable,
    MigrationMissing,
    StorageRefused,
    StoreUnavailable,
)
from app.store.failures import Fault, classify, translated, translated_at_start

MEANINGS = [
    (ConnectionResetError("gone"), Fault.LINK),
    (TimeoutError("slow"), Fault.LINK),
    (EOFError(), Fault.LINK),
    (asyncpg.InterfaceError("connection is closed"), Fault.LINK),
    (asyncpg.ConnectionDoesNotExistError("gone"), Fault.LINK),
    (asyncpg.AdminShutdownError("ended"), Fault.LINK),
    (asyncpg.CrashShutdownError("ended"), Fault.LINK),
    (asyncpg.SerializationError("again"), Fault.CONFLICT),
    (asyncpg.DeadlockDetectedError("again"), Fault.CONFLICT),
    (asyncpg.LockNotAvailableError("locked"), Fault.CONFLICT),
    (asyncpg.InvalidSQLStatementNameError("unknown"), Fault.STALE),
    (asyncpg.InvalidCachedStatementError("changed"), Fault.STALE),
    (asyncpg.CannotConnectNowError("starting"), Fault.AWAY),
    (asyncpg.TooManyConnectionsError("full"), Fault.AWAY),
    (asyncpg.DiskFullError("full"), Fault.AWAY),
    (asyncpg.ReadOnlySQLTransactionError("standby"), Fault.DEMOTED),
    (asyncpg.QueryCanceledError("cancelled"), Fault.AWAY),
    (asyncpg.InvalidPasswordError("changed"), Fault.AWAY),
    (asyncpg.ProgramLimitExceededError("index row size"), Fault.ROWS),
    (asyncpg.CheckViolationError("check"), Fault.ROWS),
    (asyncpg.CardinalityViolationError("twice"), Fault.ROWS),
    (asyncpg.DataError("not bytes"), Fault.ROWS),
    (asyncpg.InternalServerError("invalid memory alloc"), Fault.ROWS),
    (ValueError("not to be encoded"), Fault.ROWS),
]


@pytest.mark.parametrize(
    ("error", "fault"), MEANINGS, ids=lambda value: getattr(value, "name", type(value).__name__)
)
def test_every_error_has_one_meaning(error: Exception, fault: Fault) -> None:
    assert classify(error) is fault
    expected = StorageRefused if fault is Fault.ROWS else StoreUnavailable
    assert type(translated(error)) is expected


def test_stored_values_are_struck_out_of_what_is_chained() -> None:
    error = asyncpg.CheckViolationError("private one")
    error.detail = "private two"
    ours = translated(error)
    assert "private" not in f"{ours} {error} {error!r} {error.args}"
    assert "23514" in str(ours)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("nobody"), DatabaseUnreachable),
        (asyncpg.CannotConnectNowError("starting"), DatabaseUnreachable),
        (asyncpg.TargetServerAttributeNotMatched("standby"), DatabaseUnreachable),
        (asyncpg.InvalidPasswordError("wrong"), DatabaseRefused),
        (asyncpg.InvalidCatalogNameError("unknown"), DatabaseRefused),
        (asyncpg.InsufficientPrivilegeError("no"), DatabaseRefused),
        (asyncpg.ProtocolViolationError("unsupported startup parameter"), DatabaseRefused),
        (asyncpg.UndefinedTableError("cluster"), MigrationMissing),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_failed_start_names_what_to_do(error: Exception, expected: type) -> None:
    ours = translated_at_start(error, address="db:5432/rooms")
    assert type(ours) is expected
    assert "db:5432/rooms" in str(ours)
    assert ours.remedy
