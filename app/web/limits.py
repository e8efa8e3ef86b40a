"""How often one client may come, and wake rooms: by address, by subject, by namespace.

Every worker counts for itself. What is refused is refused before the handshake with 429 and
Retry-After, or, for a channel of a multiplexed socket, as overload of that channel alone.

An address is an IPv4 address or the /64 of an IPv6 one, as whoever has one has them all. Not
counted are loopback, the trusted proxies themselves (behind them there are many), and peers
without an address: a server on a developer's machine never says no.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from ..core.clock import Clock
from ..core.errors import RateLimited
from ..core.token_bucket import SECOND_NS, TokenBuckets
from ..sdk.messages import Request
from .forwarded import TRUST_NOBODY, TrustedProxies

BURST_SECONDS: Final = 20
"""Who was quiet may do at once what the rate gives for so long."""
_QUIET_NS: Final = 60 * SECOND_NS
"""A limit that refuses is told in the log once in so long."""
_NETWORK_BITS: Final = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRates:
    """How many in a second; 0: any number. Each is the setting of the same name."""

    address_connects_per_second: int = 0
    subject_connects_per_second: int = 0
    client_rooms_per_second: int = 0
    namespace_rooms_per_second: int = 0


class ClientLimits:
    """See the module.

    Args:
        rates: What is allowed.
        clock: Fills the buckets.
        trusted: Whose own address does not count.
    """

    def __init__(
        self, rates: ClientRates, *, clock: Clock, trusted: TrustedProxies = TRUST_NOBODY
    ) -> None:
        self._trusted = trusted
        now_ns = _nanoseconds_of(clock)
        self._address_connects = _limit("address_connects_per_second", rates, now_ns)
        self._subject_connects = _limit("subject_connects_per_second", rates, now_ns)
        self._client_rooms = _limit("client_rooms_per_second", rates, now_ns)
        self._namespace_rooms = _limit("namespace_rooms_per_second", rates, now_ns)

    def connect(self, address: str) -> None:
        """A client asks for a socket; nobody knows yet who it is.

        Raises:
            RateLimited: It came too often.
        """
        if self._address_connects is not None and (network := self._network_of(address)):
            self._address_connects.take(network)

    def identify(self, subject: str) -> None:
        """A client that asks for a socket has shown who it is; empty: nobody.

        Raises:
            RateLimited: It came too often, whatever its addresses.
        """
        if self._subject_connects is not None and subject:
            self._subject_connects.take(subject)

    def wake(self, request: Request, subject: str, namespace: str) -> None:
        """A client asks for a room that is not at hand, so that one may have to be made.

        Raises:
            RateLimited: It asked for too many, or all clients together did in that namespace.
        """
        if self._client_rooms is not None:
            network = self._network_of(request.client)
            if network:
                self._client_rooms.take(f"subject {subject}" if subject else network)
        if self._namespace_rooms is not None:
            self._namespace_rooms.take(namespace)

    def _network_of(self, address: str) -> str:
        """What is counted together with an address; empty: it is not counted."""
        try:
            found = ip_address(address)
        except ValueError:
            return ""
        if isinstance(found, IPv6Address):
            found = found.ipv4_mapped or found
        if found.is_loopback or self._trusted.has(address):
            return ""
        if isinstance(found, IPv6Address):
            return f"{int(found) >> _NETWORK_BITS:x}/64"
        return str(found)


class _Limit:
    """The buckets of one limit, and how it says no."""

    def __init__(self, setting: str, rate: int, now_ns: Callable[[], int]) -> None:
        self._setting = f"STATEROOM_{setting.upper()}"
        self._buckets = TokenBuckets(rate=rate, burst=rate * BURST_SECONDS)
        self._now_ns = now_ns
        self._told_ns: int | None = None

    def take(self, key: str) -> None:
        now_ns = self._now_ns()
        wait_ns = self._buckets.take(key, now_ns)
        if wait_ns == 0:
            return
        if self._told_ns is None or now_ns - self._told_ns >= _QUIET_NS:
            self._told_ns = now_ns
            _log.warning("limit reached", extra={"limit": self._setting})
        raise RateLimited.until(self._setting, seconds=-(-wait_ns // SECOND_NS))


def _limit(name: str, rates: ClientRates, now_ns: Callable[[], int]) -> _Limit | None:
    rate: int = getattr(rates, name)
    return _Limit(name, rate, now_ns) if rate else None


def _nanoseconds_of(clock: Clock) -> Callable[[], int]:
    return lambda: int(clock.monotonic() * SECOND_NS)
