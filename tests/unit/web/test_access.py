"""Who may come in: host names, origins, tokens."""

from typing import Any

import pytest
from starlette.responses import Response

from app.sdk.json import parse_json
from app.web.access import AccessPolicy

_PUBLIC = AccessPolicy(on_loopback=False)
_LOOPBACK = AccessPolicy()


def _code(response: Response | None) -> Any:
    return None if response is None else parse_json(bytes(response.body))["code"]


def _surface(policy: AccessPolicy, host: str, origin: str | None = None) -> Any:
    headers = {"host": host}
    if origin is not None:
        headers["origin"] = origin
    return _code(policy.refuse_surface(headers))


# -- hosts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "[::1]"]
)
def test_on_loopback_its_own_names_are_answered(host: str) -> None:
    assert _surface(_LOOPBACK, host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "localhost.",
        "localhost@evil.example",
        "[::1",
        "",
    ],
)
def test_on_loopback_a_name_that_was_bound_to_it_is_refused(host: str) -> None:
    """DNS rebinding: a page's own name suddenly leads to this machine."""
    assert _surface(_LOOPBACK, host) == "host_not_allowed"


def test_a_missing_host_is_refused_on_loopback() -> None:
    assert _code(_LOOPBACK.refuse_surface({})) == "host_not_allowed"


def test_a_rebound_name_is_refused_even_though_its_origin_matches() -> None:
    refused = _surface(_LOOPBACK, "evil.example:8000", "http://evil.example:8000")
    assert refused == "host_not_allowed"


def test_in_public_any_name_is_answered_unless_names_are_given() -> None:
    assert _surface(_PUBLIC, "any.example") is None
    policy = AccessPolicy(on_loopback=False, allowed_hosts=("Sync.Example", "*.apps.example"))
    assert _surface(policy, "sync.example:443") is None
    assert _surface(policy, "a.apps.example") is None
    assert _surface(policy, "a.b.apps.example") is None
    assert _surface(policy, "apps.example") == "host_not_allowed"
    assert _surface(policy, "evilapps.example") == "host_not_allowed"
    assert _surface(policy, "any.example") == "host_not_allowed"


def test_given_names_take_the_place_of_the_loopback_ones_and_a_star_stands_for_all() -> None:
    assert _surface(AccessPolicy(allowed_hosts=("box.lan",)), "localhost") == "host_not_allowed"
    assert _surface(AccessPolicy(allowed_hosts=("*",)), "any.example") is None


def test_the_refusal_says_what_to_do() -> None:
    response = _LOOPBACK.refuse_surface({"host": "evil.example"})
    assert response is not None
    assert response.status_code == 421
    assert "STATEROOM_ALLOWED_HOSTS" in bytes(response.body).decode()


# -- origins -----------------------------------------------------------------------------------


def test_a_request_without_an_origin_is_from_no_page() -> None:
    assert _surface(_LOOPBACK, "localhost:8000") is None


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:5173", "http://127.0.0.1:3000", "https://localhost", "http://[::1]:80"],
)
def test_on_loopback_pages_of_this_machine_may_come_in(origin: str) -> None:
    assert _surface(_LOOPBACK, "localhost:8000", origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "null",
        "",
        "file://",
        "http://[",
        "chrome-extension://abcdef",
    ],
)
def test_on_loopback_foreign_pages_may_not(origin: str) -> None:
    assert _surface(_LOOPBACK, "localhost:8000", origin) == "origin_not_allowed"


def test_in_public_only_the_pages_of_the_server_itself_may_come_in() -> None:
    assert _surface(_PUBLIC, "sync.example", "https://sync.example") is None
    assert _surface(_PUBLIC, "sync.example:8443", "https://SYNC.example:8443") is None
    assert _surface(_PUBLIC, "sync.example", "https://sync.example:8443") == "origin_not_allowed"
    assert _surface(_PUBLIC, "sync.example", "https://app.example") == "origin_not_allowed"
    assert _surface(_PUBLIC, "sync.example", "http://localhost:5173") == "origin_not_allowed"
    assert _surface(_PUBLIC, "", "") == "origin_not_allowed"


def test_given_origins_take_the_place_of_the_servers_own_and_a_star_stands_for_all() -> None:
    policy = AccessPolicy(on_loopback=False, allowed_origins=("https://app.example",))
    assert _surface(policy, "sync.example", "https://app.example") is None
    assert _surface(policy, "sync.example", "https://sync.example") == "origin_not_allowed"
    assert _surface(policy, "sync.example", "https://app.example.evil.example") == (
        "origin_not_allowed"
    )
    everybody = AccessPolicy(on_loopback=False, allowed_origins=("*",))
    assert _surface(everybody, "sync.example", "null") is None


# -- tokens ------------------------------------------------------------------------------------

_CLOSED = AccessPolicy(room_token="s3cret+token")


def _room(headers: dict[str, str], query: str = "") -> Any:
    return _code(_CLOSED.refuse_room(headers, query))


def test_open_rooms_ask_for_nothing() -> None:
    assert _LOOPBACK.refuse_room({}, "") is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_may_stand_in_the_header(scheme: str) -> None:
    assert _room({"authorization": f"{scheme} s3cret+token"}) is None


@pytest.mark.parametrize("query", ["token=s3cret%2Btoken", "a=b&token=s3cret%2Btoken&c"])
def test_a_token_may_stand_in_the_query(query: str) -> None:
    assert _room({}, query) is None


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"authorization": "Bearer wrong"}, ""),
        ({"authorization": "Bearer "}, ""),
        ({"authorization": "Basic s3cret+token"}, ""),
        ({"authorization": "s3cret+token"}, ""),
        ({}, "token="),
        ({}, "token=wrong"),
        ({}, "Token=s3cret%2Btoken"),
        ({}, "atoken=s3cret%2Btoken"),
        ({}, "token=%ff"),
        ({}, "&".join(f"field{number}=1" for number in range(500)) + "&atoken=1"),
        ({"authorization": "Bearer gehe\u00edm"}, ""),
    ],
)
def test_anything_else_is_refused(headers: dict[str, str], query: str) -> None:
    assert _room(headers, query) == "token_required"


def test_a_wrong_header_is_not_saved_by_a_right_query() -> None:
    assert _room({"authorization": "Bearer wrong"}, "token=s3cret%2Btoken") == "token_required"


def test_the_refusal_of_a_token_says_how_to_show_one() -> None:
    response = _CLOSED.refuse_room({}, "")
    assert response is not None
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


# -- probes ------------------------------------------------------------------------------------

_NAMED = AccessPolicy(on_loopback=False, allowed_hosts=["rooms.example"])


@pytest.mark.parametrize(
    "policy", [_PUBLIC, _LOOPBACK, _NAMED], ids=["public", "loopback", "named"]
)
@pytest.mark.parametrize("host", ["", "localhost:8000", "127.0.0.1", "10.0.0.7:80", "[fd00::1]:80"])
def test_probes_may_name_an_address_or_nothing(policy: AccessPolicy, host: str) -> None:
    assert policy.refuse_probe({"host": host} if host else {}) is None


@pytest.mark.parametrize("policy", [_LOOPBACK, _NAMED], ids=["loopback", "named"])
@pytest.mark.parametrize("host", ["evil.example", "7.0.0.127.evil.example", "0x7f000001", "[x]"])
def test_probes_by_a_foreign_name_are_refused(policy: AccessPolicy, host: str) -> None:
    assert _code(policy.refuse_probe({"host": host})) == "host_not_allowed"


def test_probes_by_a_name_that_is_allowed_are_answered() -> None:
    assert _NAMED.refuse_probe({"host": "rooms.example"}) is None


@pytest.mark.parametrize("host", ["", "10.0.0.7", "rooms.example"])
def test_pages_of_other_origins_may_not_probe(host: str) -> None:
    headers = {"host": host, "origin": "https://evil.example"}
    assert _code(_NAMED.refuse_probe(headers)) == "origin_not_allowed"
