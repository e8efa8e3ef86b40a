"""Which clients are counted together, which are not counted, and what they hear."""

import logging

import pytest

from app.core.errors import RateLimited
from app.sdk import Request
from app.settings import Settings
from app.testing.clock import FakeClock
from app.web.forwarded import TrustedProxies
from app.web.limits import BURST_SECONDS, ClientLimits, ClientRates
from app.web.problems import problem_of

PROXIES = TrustedProxies.of(["10.0.0.0/8"])


def limits_of(clock: FakeClock | None = None, **rates: int) -> ClientLimits:
    return ClientLimits(ClientRates(**rates), clock=clock or FakeClock(), trusted=PROXIES)


def use_up(limits: ClientLimits, address: str) -> None:
    for _ in range(BURST_SECONDS):
        limits.connect(address)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9", "::ffff:203.0.113.9"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
    ],
)
def test_an_address_is_refused_with_429_and_when_to_come_back(address: str, same: str) -> None:
    clock = FakeClock()
    limits = limits_of(clock, address_connects_per_second=1)
    use_up(limits, address)
    with pytest.raises(RateLimited, match="STATEROOM_ADDRESS_CONNECTS_PER_SECOND") as refused:
        limits.connect(same)
    answer = problem_of(refused.value)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    for other in ("203.0.113.10", "2001:db8:1:3::1"):
        limits.connect(other)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "", "x"])
def test_loopback_and_proxies_are_not_counted(address: str) -> None:
    limits = limits_of(address_connects_per_second=1, client_rooms_per_second=1)
    for _ in range(10 * BURST_SECONDS):
        limits.connect(address)
        limits.wake(Request(client=address), "", "tinybase")


def test_a_subject_is_one_client_whatever_its_addresses() -> None:
    limits = limits_of(subject_connects_per_second=1, client_rooms_per_second=1)
    for each in range(BURST_SECONDS):
        limits.identify("ann")
        limits.wake(Request(client=f"203.0.113.{each}"), "ann", "tinybase")
    with pytest.raises(RateLimited):
        limits.identify("ann")
    with pytest.raises(RateLimited):
        limits.wake(Request(client="198.51.100.1"), "ann", "tinybase")
    limits.identify("bob")
    limits.identify("")
    limits.wake(Request(client="203.0.113.1"), "bob", "tinybase")


def test_a_namespace_is_counted_for_all_its_clients_together() -> None:
    limits = limits_of(namespace_rooms_per_second=1)
    for each in range(BURST_SECONDS):
        limits.wake(Request(client=f"203.0.113.{each}"), "", "notes")
    with pytest.raises(RateLimited, match="STATEROOM_NAMESPACE_ROOMS_PER_SECOND"):
        limits.wake(Request(client="198.51.100.1"), "", "notes")
    limits.wake(Request(client="198.51.100.1"), "", "chats")


def test_a_limit_is_told_in_the_log_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    limits = limits_of(clock, address_connects_per_second=1)
    use_up(limits, "203.0.113.9")
    with caplog.at_level(logging.WARNING, logger="app.web.limits"):
        for _ in range(100):
            with pytest.raises(RateLimited):
                limits.connect("203.0.113.9")
    assert [record.getMessage() for record in caplog.records] == ["limit reached"]
    assert "203.0.113.9" not in str(vars(caplog.records[0]))


def test_every_rate_is_a_setting_of_its_name() -> None:
    settings = Settings()
    for name in ClientRates.__dataclass_fields__:
        assert getattr(settings, name) >= 0
