"""Which HTTP status an error has on the admin plane, and what its problem document says.

Errors that the whole service knows keep the status that objects answer with; here stand those
of the admin plane, by kind, and the few that mean something else to whoever steers.
"""

from typing import Any, Final

from starlette.responses import Response

from ...core.admin_errors import (
    AdminError,
    AdminTokenRequired,
    ContentTooLarge,
    CursorInvalid,
    FieldsInvalid,
    MediaTypeUnknown,
    MethodNotAllowed,
    NotLikeThis,
    NotNow,
    NotThere,
    OperationTimedOut,
    PathInvalid,
    PreconditionFailed,
    RoleTooLow,
    TooManyGuesses,
)
from ...core.errors import (
    BodyTooSlow,
    CallRefused,
    CallTimedOut,
    IdInvalid,
    NamespaceUnknown,
    ObjectDeleted,
    ObjectFrozen,
    ObjectUnknown,
    StateroomError,
    StorageRefused,
    TooManyAlarms,
    Unsupported,
    WorkerNotLive,
)
from ..problems import RETRY_AFTER_SECONDS, document, status_of

_STATUS: Final[list[tuple[type[StateroomError], int]]] = [
    (CursorInvalid, 400),
    (PathInvalid, 400),
    (AdminTokenRequired, 401),
    (RoleTooLow, 403),
    (NotThere, 404),
    (MethodNotAllowed, 405),
    (ObjectUnknown, 404),
    (NotNow, 409),
    (ObjectFrozen, 409),
    (ObjectDeleted, 410),
    (WorkerNotLive, 409),
    (TooManyAlarms, 409),
    (ContentTooLarge, 413),
    (CallRefused, 413),
    (PreconditionFailed, 412),
    (MediaTypeUnknown, 415),
    (NotLikeThis, 422),
    (StorageRefused, 422),
    (TooManyGuesses, 429),
    (OperationTimedOut, 504),
    (CallTimedOut, 504),
    (AdminError, 400),
]
_TELLS_ITS_DETAIL: Final = (
    AdminError,
    CallRefused,
    IdInvalid,
    NamespaceUnknown,
    StorageRefused,
    TooManyAlarms,
    Unsupported,
)
"""Errors whose text is ours and says nothing of what an author's code said."""

_GUESSING_SECONDS: Final = 60


def admin_status(error: type[StateroomError] | StateroomError) -> int:
    """The status of an error, or of a class of them."""
    kind = error if isinstance(error, type) else type(error)
    for cls, status in _STATUS:
        if issubclass(kind, cls):
            return status
    return status_of(error if isinstance(error, StateroomError) else kind())


def admin_problem(error: StateroomError, *, request_id: str) -> Response:
    """The problem document for an error."""
    status = admin_status(error)
    more: dict[str, Any] = {"request_id": request_id}
    if error.remedy:
        more["remedy"] = error.remedy
    if isinstance(error, FieldsInvalid):
        more["errors"] = [
            {"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults
        ]
    detail = error.detail if isinstance(error, _TELLS_ITS_DETAIL) else ""
    return document(
        status=status,
        code=error.code,
        title=error.default_text(),
        detail="" if detail == error.default_text() else detail,
        more=more,
        headers=_headers(status, error),
    )


def _headers(status: int, error: StateroomError) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"allow": ", ".join(error.allowed)}
    if isinstance(error, AdminTokenRequired):
        return {"www-authenticate": 'Bearer realm="stateroom admin"'}
    if isinstance(error, TooManyGuesses):
        return {"retry-after": str(_GUESSING_SECONDS)}
    if isinstance(error, BodyTooSlow):
        return {"connection": "close"}
    return {"retry-after": str(RETRY_AFTER_SECONDS)} if status in {429, 503} else {}
