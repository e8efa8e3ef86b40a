"""What went wrong in the driver, in our words: the one seam for errors of Postgres.

Nothing that a driver raises passes this file, and nothing it prints does either: its messages
quote row values, and the values belong to the users. Our text carries the class and the
SQLSTATE; the driver's exception is the cause, with its text struck out where it may hold rows.

    Fault.LINK      the connection is gone; whether the statement was applied is not known
    Fault.CONFLICT  the database undid the statement because of another one; send it again
    Fault.STALE     the prepared statement is not known any more; prepare and send it again
    Fault.AWAY      the database cannot work just now (full, starting); not applied
    Fault.DEMOTED   this server takes no writes: after a failover another one does; not applied
    Fault.ROWS      the statement or its rows are refused, whoever sends them and whenever
"""

from enum import Enum, auto
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError

from ..core.errors import (
    DatabaseRefused,
    DatabaseUnreachable,
    MigrationMissing,
    StartupError,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
)


class Fault(Enum):
    """See the module."""

    LINK = auto()
    CONFLICT = auto()
    STALE = auto()
    AWAY = auto()
    DEMOTED = auto()
    ROWS = auto()


DRIVER_ERRORS: Final = (
    OSError,  # TimeoutError is one
    EOFError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a call of the driver may raise."""

_BY_STATE: Final = {
    "57P01": Fault.LINK,  # the server ended the connection: shut down, crash, idle too long
    "57P02": Fault.LINK,
    "57P05": Fault.LINK,
    "40001": Fault.CONFLICT,
    "40P01": Fault.CONFLICT,
    "55P03": Fault.CONFLICT,
    "26000": Fault.STALE,
    "0A000": Fault.STALE,  # "cached plan must not change result type"
    "57P03": Fault.AWAY,  # starting or stopping
    "57P04": Fault.AWAY,
    "57014": Fault.AWAY,  # an operator's cancel, or a time limit of the server
    "25006": Fault.DEMOTED,  # a standby
}
# 28 and 3D: the login or the database is gone; rows have nothing to do with it.
_BY_CLASS: Final = {
    "08": Fault.LINK,
    "28": Fault.AWAY,
    "3D": Fault.AWAY,
    "53": Fault.AWAY,
    "58": Fault.AWAY,
}
NEW_CONNECTION: Final = frozenset({Fault.LINK, Fault.AWAY, Fault.DEMOTED})
"""After these the connection is of no use: elsewhere, or later, a new one may be."""

_REFUSED_AT_LOGIN: Final = frozenset({"28000", "28P01", "3D000", "42501"})
_UNKNOWN_SETTING: Final = "08P01"  # what PgBouncer says to a startup parameter
_NO_TABLE: Final = frozenset({"42P01", "42703", "3F000"})


def sqlstate_of(error: BaseException) -> str:
    """The five characters by which Postgres names an error; empty when it is not from there."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""


def classify(error: Exception) -> Fault:
    """Say what an exception of the driver means for the statement that met it."""
    if isinstance(error, asyncpg.exceptions.OutdatedSchemaCacheError):
        return Fault.STALE
    if not isinstance(error, asyncpg.PostgresError):
        # What is neither of the network nor of the driver was raised while the arguments were
        # encoded: nothing was sent.
        lost = isinstance(error, OSError | EOFError | asyncpg.InterfaceError)
        return Fault.LINK if lost or isinstance(error, asyncpg.InternalClientError) else Fault.ROWS
    state = sqlstate_of(error)
    return _BY_STATE.get(state) or _BY_CLASS.get(state[:2], Fault.ROWS)


def translated(error: Exception) -> StateroomError:
    """The error of ours that stands for `error`, to be raised `from` it."""
    ours: StateroomError
    if classify(error) is Fault.ROWS:
        ours = StorageRefused(f"the database refused the statement ({label(error)})")
        _strike_out(error)
    else:
        ours = StoreUnavailable(f"the database is away at the moment ({label(error)})")
    return ours


def translated_at_start(error: Exception, *, address: str) -> StartupError:
    """The error of ours for a failure of the first connection or of the first question."""
    state = sqlstate_of(error)
    if is_login_refusal(error):
        return DatabaseRefused(f"the database at {address} refused us ({label(error)})")
    if state == _UNKNOWN_SETTING:
        return DatabaseRefused(
            f"what answers at {address} takes no session settings ({label(error)})",
            remedy="A pooler in transaction mode? Set STATEROOM_DATABASE_POOLER=transaction.",
        )
    if state in _NO_TABLE:
        return MigrationMissing(f"the database at {address} has no tables of Stateroom")
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return DatabaseUnreachable(
            f"what answers at {address} takes no writes; a standby, or a failover is under way"
        )
    return DatabaseUnreachable(f"no answer from the database at {address} ({label(error)})")


def driver_error_of(error: DBAPIError) -> Exception:
    """What the driver raised, below SQLAlchemy's two wrappers."""
    inner = error.orig
    cause = inner.__cause__ if inner is not None else None
    return cause if isinstance(cause, Exception) else error


def is_login_refusal(error: Exception) -> bool:
    """Whether the database turned us away by name: user, password, database or rights."""
    return sqlstate_of(error) in _REFUSED_AT_LOGIN


def label(error: Exception) -> str:
    """Class and SQLSTATE: all that is told of a driver's error."""
    state = sqlstate_of(error)
    return f"{type(error).__name__}, SQLSTATE {state}" if state else type(error).__name__


def _strike_out(error: Exception) -> None:
    """Take the rows out of a driver's error before it is chained and, one day, printed."""
    error.args = (f"text withheld, it may quote stored values ({label(error)})",)
    for attribute in ("detail", "hint", "context", "message"):
        if isinstance(getattr(error, attribute, None), str):
            setattr(error, attribute, None)
