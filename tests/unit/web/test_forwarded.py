"""Whose request it is, when a trusted proxy brought it; nobody else is believed."""

import pytest

from app.settings import Settings
from app.web.forwarded import TrustedProxies

PROXIES = TrustedProxies.of(["10.0.0.1", "192.168.7.0/24", "fd00::/8"])


@pytest.mark.parametrize("forwarded", [None, "", "203.0.113.9", "203.0.113.9, 10.0.0.1", "junk"])
def test_nobody_is_believed_when_no_proxy_is_trusted(forwarded: str | None) -> None:
    assert TrustedProxies().client_of("10.0.0.1", forwarded) == "10.0.0.1"


def test_a_client_that_comes_by_itself_is_not_believed() -> None:
    assert PROXIES.client_of("203.0.113.9", "198.51.100.1") == "203.0.113.9"
    assert PROXIES.client_of("10.0.0.2", "198.51.100.1") == "10.0.0.2"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1,203.0.113.9 , 192.168.7.20", "203.0.113.9"),
        ("192.168.7.21, 192.168.7.20", "192.168.7.21"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("203.0.113.9, unknown", "10.0.0.1"),
        ("203.0.113.9, ", "10.0.0.1"),
        (None, "10.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_proxy_of_ours_is_the_client(
    forwarded: str | None, client: str
) -> None:
    assert PROXIES.client_of("10.0.0.1", forwarded) == client
    assert PROXIES.client_of("::ffff:10.0.0.1", forwarded) == client.replace(
        "10.0.0.1", "::ffff:10.0.0.1"
    )
    assert PROXIES.client_of(client, forwarded) == client, "told twice, it says the same"


def test_the_peer_of_a_unix_socket_is_no_proxy() -> None:
    assert PROXIES.client_of("", "203.0.113.9") == ""


def test_repeated_headers_are_one_list() -> None:
    headers = [
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"host", b"rooms.example"),
        (b"x-forwarded-for", b"203.0.113.9, 192.168.7.1"),
    ]
    scope = {"type": "http", "client": ("10.0.0.1", 4711), "headers": headers}
    assert PROXIES.seen_through(scope) == {**scope, "client": ("203.0.113.9", 0)}
    assert TrustedProxies().seen_through(scope) == scope
    for other in ({**scope, "headers": []}, {**scope, "client": None}):
        assert PROXIES.seen_through(other) == other


def test_the_setting_takes_addresses_and_networks_only() -> None:
    assert Settings(trusted_proxies="10.0.0.1, fd00::/8").trusted_proxies == (  # type: ignore[arg-type] # as the environment gives it
        "10.0.0.1",
        "fd00::/8",
    )
    for wrong in ("proxy.example", "10.0.0.1/24", "10.0.0"):
        with pytest.raises(ValueError, match="no network"):
            Settings(trusted_proxies=(wrong,))
