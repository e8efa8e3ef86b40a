"""What the doctor learns of a running server from outside, through whatever stands before it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpx

from .. import __version__
from ..core.clock import wall_seconds
from .admin_client import AdminClient, ServerRefused
from .doctor_socket import examine_socket
from .failures import ToldFailure
from .findings import Finding, Verdict, bad, doubtful, good

SECONDS: Final = 10.0
SKEW_SECONDS: Final = 2.0
"""The header Date has whole seconds, and the answer takes a while."""

_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_OK: Final = 200
_UNAVAILABLE: Final = 503
_MISDIRECTED: Final = 421
_FORBIDDEN: Final = 403
_FALSE_TRACKS: Final[Mapping[str, str]] = {
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-host": "doctor.invalid",
    "x-forwarded-proto": "gopher",
    "forwarded": "for=192.0.2.1;host=doctor.invalid;proto=gopher",
}


def examine_server(
    server: str,
    *,
    admin_token: str,
    room_token: str,
    frame_bytes: int,
    patience_seconds: float,
) -> Iterator[Finding]:
    """Look at the server in turn; what depends on a bad finding is left out."""
    with httpx.Client(base_url=server, timeout=SECONDS, trust_env=False) as http:
        reached = _reach(http, server)
        yield reached
        if reached.verdict is Verdict.BAD:
            return
        yield _encryption(server)
        yield from _probes(http, server)
    yield _admin(server, admin_token)
    yield from examine_socket(
        server, token=room_token, frame_bytes=frame_bytes, patience_seconds=patience_seconds
    )


def _probes(http: httpx.Client, server: str) -> Iterator[Finding]:
    try:
        yield _ready(http)
        yield _clock(http)
        yield _origin(http, server)
        yield _forwarded(http)
    except httpx.HTTPError as error:
        yield bad("answers", f"one did not come ({_told(error)})")


def _reach(http: httpx.Client, server: str) -> Finding:
    subject = "server"
    try:
        answer = http.get("/livez")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        remedy = "Check the URL, the service, and what stands between."
        if "certificate" in str(error).lower():
            remedy = "Give the server a certificate for this name that this machine trusts."
        return bad(subject, f"{server} cannot be reached ({_told(error)})", remedy)
    if answer.status_code == _MISDIRECTED:
        return bad(
            subject,
            f"it does not answer to the name {urlsplit(server).hostname}",
            "Add it to STATEROOM_ALLOWED_HOSTS, or let the proxy pass on Host.",
        )
    if answer.status_code != _OK:
        remedy = "Let the proxy pass on every path, or name the server itself."
        return bad(subject, f"/livez is answered with {answer.status_code}", remedy)
    return good(subject, f"{server} answers ({answer.http_version})")


def _encryption(server: str) -> Finding:
    parts = urlsplit(server)
    if parts.scheme == "https":
        return good("TLS", "the certificate is valid")
    if parts.hostname in _LOOPBACK:
        return good("TLS", "none, and none is needed on this machine")
    return doubtful(
        "TLS", "tokens and rooms cross the network in clear text", "End TLS at a proxy before it."
    )


def _ready(http: httpx.Client) -> Finding:
    status = http.get("/readyz").status_code
    if status == _OK:
        return good("ready", "it takes rooms")
    if status == _UNAVAILABLE:
        return bad("ready", "it takes no rooms now", "See the server's log: the database is away?")
    return bad("ready", f"/readyz is answered with {status}")


def _clock(http: httpx.Client) -> Finding:
    date = http.get("/livez").headers.get("date")
    if date is None:
        return good("server clock", "not told")
    theirs = parsedate_to_datetime(date).timestamp()
    ahead = theirs - wall_seconds()
    told = f"the server's is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    if -SKEW_SECONDS - 1 <= ahead <= SKEW_SECONDS:
        return good("server clock", told)
    now = datetime.fromtimestamp(wall_seconds(), UTC).isoformat(timespec="seconds")
    return doubtful("server clock", f"{told} of this machine's ({now})", "Run NTP on both.")


def _origin(http: httpx.Client, server: str) -> Finding:
    """A browser page of the server's own address must be let in: Host has to arrive as it was."""
    parts = urlsplit(server)
    answer = http.get("/livez", headers={"origin": f"{parts.scheme}://{parts.netloc}"})
    if answer.status_code == _FORBIDDEN:
        return bad(
            "host and origin",
            "pages of this very address are refused: a proxy changes Host",
            "Let the proxy pass on Host, or list the address in STATEROOM_ALLOWED_ORIGINS.",
        )
    return good("host and origin", "pages of this address are let in")


def _forwarded(http: httpx.Client) -> Finding:
    """Forwarded headers decide nothing in the server; a proxy may be led by them."""
    plain = http.get("/livez")
    misled = http.get("/livez", headers=dict(_FALSE_TRACKS))
    if misled.status_code != plain.status_code:
        return doubtful(
            "forwarded",
            f"a client's own X-Forwarded headers change the answer to {misled.status_code}",
            "Let the proxy replace these headers.",
        )
    return good("forwarded", "X-Forwarded headers are trusted from nobody")


def _admin(server: str, token: str) -> Finding:
    subject = "admin API"
    if not token:
        return doubtful(subject, "no token was given", "Set STATEROOM_ADMIN_TOKEN.")
    try:
        with AdminClient(server, token) as client:
            me = client.get("/me")
    except ServerRefused as refused:
        return bad(subject, f"it answers {refused.code}", str(refused.problem.get("remedy", "")))
    except ToldFailure as failure:
        return bad(subject, str(failure))
    told = f"the token {me['name']} has the role {me['role']}; the server is {me['version']}"
    if me["version"] != __version__:
        return doubtful(subject, f"{told}, this command {__version__}")
    return good(subject, told)


def _told(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
