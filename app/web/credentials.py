"""Where a client's credential may stand in a request, and who judges it.

Looked for in this order: `Authorization: Bearer`, a subprotocol `stateroom.token.<token>` beside
the real one, the query parameter `token`, the cookie `stateroom_token`. The first that is there
counts, and only that one.

A browser sends cookies along for whatever page asks, so the cookie counts only where the browser
says that a page of an allowed origin is asking: by an `Origin` that passed the check, or by
`Sec-Fetch-Site: same-origin` where it sends no `Origin`.
"""

from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol
from urllib.parse import unquote_plus

from ..core.access_errors import RoomForbidden
from ..core.grants import EVERYTHING, Grant
from ..sdk.messages import Request
from ..sdk.visits import Visit

TOKEN_PROTOCOL: Final = "stateroom.token."  # noqa: S105 - what stands before a token
TOKEN_COOKIE: Final = "stateroom_token"  # noqa: S105 - a cookie's name
TOKEN_CHARACTERS: Final = 8_192
"""A longer credential is not looked at."""


Judged = Grant | Coroutine[Any, Any, Grant]


class Judge(Protocol):
    """Decides what a client is let in for."""

    def judge(self, visit: Visit) -> Judged:
        """Return the grant, or the work that will.

        Raises (here or in the work):
            AccessRefused: The client is not let in.
            JudgeUnavailable: It cannot be decided now.
        """
        ...


def entering(request: Request, grant: Grant, namespace: str, name: str) -> Request:
    """Return the request as the object gets it, with the client's role there.

    Raises:
        RoomForbidden: The grant gives none.
    """
    if grant is EVERYTHING:
        return request
    role = grant.role_for(namespace, name)
    if role is None:
        raise RoomForbidden
    return replace(request, grant=grant, role=role)


def token_of(request: Request, *, cookies: bool) -> str:
    """The credential that a request shows, or empty.

    Args:
        request: With its headers.
        cookies: Whether the request passed the check of its Origin, CORS aside.
    """
    headers = request.headers
    return (
        bearer_of(headers.get("authorization", ""))
        or next(_in_protocols(request.subprotocols), "")
        or query_token(request.query)
        or (_cookie_token(headers) if cookies and _asked_by_own_page(headers) else "")
    )


def without_tokens(subprotocols: tuple[str, ...]) -> tuple[str, ...]:
    """The subprotocols that mean one."""
    return tuple(word for word in subprotocols if not word.startswith(TOKEN_PROTOCOL))


def bearer_of(header: str) -> str:
    """The token of an Authorization header; empty when it holds none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def query_token(query: str) -> str:
    """The parameter `token` of a raw query string; empty when there is none."""
    for field in query.split("&"):
        name, _, value = field.partition("=")
        if name == "token":
            return unquote_plus(value)
    return ""


def _in_protocols(subprotocols: tuple[str, ...]) -> Iterator[str]:
    for word in subprotocols:
        if word.startswith(TOKEN_PROTOCOL):
            yield word[len(TOKEN_PROTOCOL) :]


def _asked_by_own_page(headers: Mapping[str, str]) -> bool:
    return "origin" in headers or headers.get("sec-fetch-site") == "same-origin"


def _cookie_token(headers: Mapping[str, str]) -> str:
    for field in headers.get("cookie", "").split(";"):
        name, _, value = field.strip().partition("=")
        if name == TOKEN_COOKIE:
            return value
    return ""
