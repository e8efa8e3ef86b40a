"""Who may come in: the Host a request names, the Origin a browser tells, the token a client shows.

Host and Origin are checked on every surface, which stops DNS rebinding and foreign pages in a
visitor's browser. A request without an Origin is not from a browser page and is not judged by
it. Tokens are compared in constant time (architecture, section 6).
"""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.responses import Response

from ..core.grants import EVERYTHING
from ..sdk.messages import Request
from ..sdk.visits import Visit
from .credentials import Judge, Judged, bearer_of, query_token, token_of
from .problems import problem

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """See the module.

    Attributes:
        room_token: What clients of rooms must show, or None when rooms are open.
        allowed_hosts: Accepted Host names; empty: loopback names when on loopback, else any.
        allowed_origins: Accepted origins, `*` for any; empty: the Host itself, and loopback
            origins when on loopback.
        cors_origins: Further origins whose pages may call objects by HTTP, `*` for any.
        on_loopback: Whether the server listens on this machine only.
        judge: Decides by credentials, room by room; None: whoever passes the rest may write.
    """

    room_token: str | None = None
    allowed_hosts: Collection[str] = ()
    allowed_origins: Collection[str] = ()
    cors_origins: Collection[str] = ()
    on_loopback: bool = True
    judge: Judge | None = None

    def refuse_surface(self, headers: Mapping[str, str]) -> Response | None:
        """Check Host and Origin; returns the refusal, or None."""
        host = headers.get("host", "")
        if not self._host_allowed(host):
            return problem(
                status=421,
                code="host_not_allowed",
                title="This server does not answer to that host name",
                detail="Add it to STATEROOM_ALLOWED_HOSTS.",
            )
        return self._refuse_origin(headers.get("origin"), host)

    def refuse_request(self, headers: Mapping[str, str]) -> Response | None:
        """Check Host and Origin of a request to an object; returns the refusal, or None."""
        origin = headers.get("origin")
        if origin is not None and ("*" in self.cors_origins or origin in self.cors_origins):
            headers = {"host": headers.get("host", "")}
        return self.refuse_surface(headers)

    def refuse_probe(self, headers: Mapping[str, str]) -> Response | None:
        """Check Host and Origin where orchestrators look; returns the refusal, or None.

        Kubelets, containers and load balancers name an address, `localhost` or nothing at all as
        their Host, whatever the settings say. A page that was led here by its own name's DNS
        cannot do that: its browser names that name.
        """
        host = headers.get("host", "")
        if not host or _is_machine(_name_of(host)):
            return self._refuse_origin(headers.get("origin"), host)
        return self.refuse_surface(headers)

    def _refuse_origin(self, origin: str | None, host: str) -> Response | None:
        if origin is None or self._origin_allowed(origin, host):
            return None
        return problem(
            status=403,
            code="origin_not_allowed",
            title="Pages of that origin may not use this server",
            detail="Add it to STATEROOM_ALLOWED_ORIGINS.",
        )

    def refuse_room(self, headers: Mapping[str, str], query: str) -> Response | None:
        """Check the room token, if one is needed; returns the refusal, or None."""
        if self.room_token is None:
            return None
        shown = bearer_of(headers.get("authorization", "")) or query_token(query)
        if hmac.compare_digest(shown.encode(), self.room_token.encode()):
            return None
        return problem(
            status=401,
            code="token_required",
            title="This room needs a valid token",
            detail="Send it as Authorization: Bearer, or as ?token= with a WebSocket.",
            headers={"www-authenticate": "Bearer"},
        )

    def grant_of(self, namespace: str, name: str, request: Request) -> Judged:
        """What a client is let in for, or the work that will say it.

        Raises (here or in the work):
            AccessRefused: It is not let in.
            JudgeUnavailable: It cannot be decided now.
        """
        if self.judge is None:
            return EVERYTHING
        own_page = self.refuse_surface(request.headers) is None
        token = token_of(request, cookies=own_page)
        visit = Visit(namespace=namespace, name=name, request=request, token=token)
        return self.judge.judge(visit)

    def _host_allowed(self, host: str) -> bool:
        name = _name_of(host)
        if self.allowed_hosts:
            return any(_matches(name, wanted.lower()) for wanted in self.allowed_hosts)
        return not self.on_loopback or name in _LOOPBACK_NAMES

    def _origin_allowed(self, origin: str, host: str) -> bool:
        if "*" in self.allowed_origins or origin in self.allowed_origins:
            return True
        try:
            parts = urlsplit(origin)
            name = (parts.hostname or "").lower()
        except ValueError:
            return False
        if not self.allowed_origins and name and parts.netloc.lower() == host.lower():
            return True
        return self.on_loopback and name in _LOOPBACK_NAMES


def _is_machine(name: str) -> bool:
    """Whether a Host names this machine or an address, and no name that DNS decides."""
    if name in _LOOPBACK_NAMES:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _matches(name: str, wanted: str) -> bool:
    if wanted == "*":
        return True
    if wanted.startswith("*."):
        return name.endswith(wanted[1:])
    return name == wanted


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def names_loopback(host: str) -> bool:
    """Whether a Host header names loopback."""
    return _name_of(host) in _LOOPBACK_NAMES
