"""Where a client's token may stand, and where it does not count."""

import pytest

from app.core.errors import RoomForbidden
from app.core.grants import EVERYTHING, ClientRole, Grant
from app.sdk import Request, Visit
from app.web.access import AccessPolicy
from app.web.credentials import Judged, entering, token_of, without_tokens

_HOST = {"host": "localhost:8000"}


class Noting:
    """A judge that notes what was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def judge(self, visit: Visit) -> Judged:
        self.shown.append(visit.token)
        return EVERYTHING


def _shown(**parts: object) -> str:
    headers = _HOST | dict(parts.pop("headers", {}))  # type: ignore[call-overload]  # a mapping
    judge = Noting()
    policy = AccessPolicy(judge=judge, cors_origins=("https://far.example",))
    policy.grant_of("tinybase", "a", Request(headers=headers, **parts))  # type: ignore[arg-type]  # the test's own
    return judge.shown[0]


def test_a_token_comes_by_header_subprotocol_query_or_cookie() -> None:
    assert _shown(headers={"authorization": "bearer a.b"}) == "a.b"
    assert _shown(subprotocols=("chat", "stateroom.token.a.b")) == "a.b"
    assert _shown(query="x=1&token=a%2Eb") == "a.b"
    cookie = {"cookie": "x=1; stateroom_token=a.b; y=2", "origin": "http://localhost:8000"}
    assert _shown(headers=cookie) == "a.b"
    assert _shown() == ""


def test_the_first_place_counts_and_only_that_one() -> None:
    headers = {"authorization": "Bearer one", "cookie": "stateroom_token=four"}
    assert _shown(headers=headers, subprotocols=("stateroom.token.two",), query="token=3") == "one"
    assert _shown(subprotocols=("stateroom.token.two",), query="token=3") == "two"


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://localhost:8000"}, True),
        ({"origin": "https://far.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_a_cookie_counts_only_when_an_own_page_asks(headers: dict[str, str], counts: bool) -> None:
    shown = _shown(headers={"cookie": "stateroom_token=a.b"} | headers)
    assert shown == ("a.b" if counts else "")


def test_a_token_is_no_subprotocol() -> None:
    assert without_tokens(("stateroom.token.a.b", "chat")) == ("chat",)
    assert token_of(Request(subprotocols=("chat",)), cookies=True) == ""


def test_who_enters_has_the_role_of_the_room() -> None:
    grant = Grant.of({"docs/*": "read"})
    assert entering(Request(), grant, "tinybase", "docs/a").role is ClientRole.READ
    with pytest.raises(RoomForbidden):
        entering(Request(), grant, "tinybase", "other")
