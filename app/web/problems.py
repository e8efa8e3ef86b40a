"""From an error to what a client is told: one table, RFC 9457 problem details, stable codes.

The text of an author's exception is for the log; a client gets the class of the problem, its
code and the request's id, never a traceback.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.responses import JSONResponse, Response

from ..core.errors import (
    AccessRefused,
    BodyBroken,
    BodyTooLarge,
    BodyTooSlow,
    BookmarkExpired,
    BookmarkUnknown,
    EventTimedOut,
    IdInvalid,
    NamespaceUnknown,
    ObjectDeleted,
    ObjectFault,
    ObjectFrozen,
    ObjectUnknown,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RoomForbidden,
    StateroomError,
    TooManyRequests,
    Unsupported,
)

_STATUS: list[tuple[type[StateroomError], int]] = [
    (IdInvalid, 400),
    (RoomForbidden, 403),
    (AccessRefused, 401),
    (NamespaceUnknown, 404),
    (ObjectUnknown, 404),
    (ObjectFrozen, 409),
    (ObjectDeleted, 410),
    (Unsupported, 409),
    (EventTimedOut, 504),
    (ObjectFault, 500),
    (BookmarkUnknown, 404),
    (BookmarkExpired, 410),
    (BodyTooLarge, 413),
    (BodyTooSlow, 408),
    (BodyBroken, 400),
    (TooManyRequests, 429),
    (QuotaExceeded, 429),
    (RateLimited, 429),
    (Overloaded, 503),
]
_TELLS_ITS_DETAIL = (IdInvalid, Overloaded, Unsupported)
"""Errors whose text is made of numbers and rules, never of what an author's code said."""

_UNAUTHORIZED = 401
_UNAVAILABLE = 503
_COME_AGAIN = {429, _UNAVAILABLE}
_INTERNAL = 500
RETRY_AFTER_SECONDS = 1


def status_of(error: StateroomError) -> int:
    """The HTTP status for an error."""
    for cls, status in _STATUS:
        if isinstance(error, cls):
            return status
    return _UNAVAILABLE if error.retryable else _INTERNAL


def problem(
    *,
    status: int,
    code: str,
    title: str,
    detail: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    """One problem+json response."""
    return document(status=status, code=code, title=title, detail=detail, headers=headers)


def document(
    *,
    status: int,
    code: str,
    title: str,
    detail: str = "",
    more: Mapping[str, Any] = MappingProxyType({}),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem+json response with members beside those that every problem has."""
    body = {"type": f"urn:stateroom:problem:{code}", "title": title, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    return JSONResponse(
        {**body, **more},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def problem_of(error: StateroomError) -> Response:
    """The response for an error."""
    status = status_of(error)
    return problem(
        status=status,
        code=error.code,
        title=error.default_text(),
        detail=_detail(error),
        headers=_headers(status, error),
    )


def _headers(status: int, error: StateroomError) -> dict[str, str] | None:
    if isinstance(error, BodyTooSlow):  # the rest of it may still come
        return {"connection": "close"}
    if isinstance(error, QuotaExceeded | RateLimited):
        return {"retry-after": str(error.retry_after_seconds)}
    if status == _UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    return {"retry-after": str(RETRY_AFTER_SECONDS)} if status in _COME_AGAIN else None


def _detail(error: StateroomError) -> str:
    if isinstance(error, ObjectFault):
        return ""
    return error.detail if isinstance(error, _TELLS_ITS_DETAIL) else error.remedy
