"""Whose request it is, when a proxy of the operator's brought it. Pure.

A client may write anything into `X-Forwarded-For`, so the header is read only when the connection
itself comes from a trusted proxy, and from its end: each proxy adds the address that it was
spoken to from. The first address from the end that is no trusted proxy is the client. What
follows from it is told to objects and to the audit; nobody is let in for it.
"""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, Self

HEADER = "x-forwarded-for"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """See the module.

    Attributes:
        networks: Where they are; none by default, and then the header means nothing.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        """Read addresses and networks.

        Raises:
            ValueError: A word is neither.
        """
        return cls(networks=tuple(ip_network(word) for word in words))

    def client_of(self, peer: str, forwarded: str | None) -> str:
        """Return the address of the client.

        Args:
            peer: The other end of the connection.
            forwarded: The value of the header, repeated ones joined by a comma.
        """
        if not forwarded or not self.networks:
            return peer
        client = peer
        for word in reversed(forwarded.split(",")):
            if not self.has(client):
                return client
            address = _address_in(word.strip())
            if address is None:
                return client
            client = address
        return client

    def seen_through(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return an ASGI scope whose client is the client."""
        if not self.networks or not scope.get("client"):
            return scope
        name = HEADER.encode()
        told = [value.decode("latin-1") for each, value in scope["headers"] if each == name]
        peer, port = scope["client"]
        client = self.client_of(peer, ",".join(told))
        return {**scope, "client": (client, port if client == peer else 0)}

    def has(self, address: str) -> bool:
        """Whether an address is one of theirs."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.networks)


TRUST_NOBODY: Final = TrustedProxies()
"""A client is who speaks."""


def _address_in(word: str) -> str | None:
    """The address that a proxy wrote, without a port; None if it is none."""
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        return str(ip_address(word))
    except ValueError:
        return None
