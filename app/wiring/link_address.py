"""Under which address other workers are told to dial this one.

What is said by the settings counts. Else it is where the listener is bound; a listener on all
addresses says the one of this machine's addresses from which the database is reached, because
that is the network that all workers share.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..core.errors import ConfigurationInvalid

_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised here, not bound
_LOOPBACK = "127.0.0.1"
_POSTGRES_PORT = 5432


async def link_address(
    told: str, *, slot: int, bound_host: str, bound_port: int, database_url: str
) -> str:
    """Return `host:port` (an IPv6 host in brackets).

    Args:
        told: The setting: empty, `host`, or `host:port` of the machine's slot 0. An IPv6 address
            stands in brackets, or plain where no port follows.
        slot: Which of the machine's workers; a port that was told is counted on by it.
        bound_host: Where the listener is.
        bound_port: Likewise.
        database_url: Shows which network the workers share.

    Raises:
        ConfigurationInvalid: It cannot be found out, or the setting makes no sense.
    """
    if told:
        return _as_told(told, slot, bound_port)
    host = bound_host
    if host in _WILDCARDS:
        host = await _facing(database_url)
    return _joined(host, bound_port)


def _as_told(told: str, slot: int, bound_port: int) -> str:
    if _is_plain_ipv6(told):
        return _joined(told, bound_port)
    parts = urlsplit(f"//{told}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.path or parts.username is not None:
        raise ConfigurationInvalid("STATEROOM_INTERNAL_ADDRESS: neither host nor host:port")
    return _joined(host, bound_port if port is None else port + slot)


def _is_plain_ipv6(told: str) -> bool:
    """Whether it is an address without brackets, as Kubernetes tells a pod its own."""
    try:
        return ip_address(told).version == 6  # noqa: PLR2004 - IPv6
    except ValueError:
        return False


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _facing(database_url: str) -> str:
    """This machine's address on the way to the database."""
    host = _database_host(database_url)
    if host is None:
        return _LOOPBACK  # a local socket: everybody is on this machine
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, _POSTGRES_PORT, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)  # sends nothing: it asks the routing table
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ConfigurationInvalid(
            "STATEROOM_INTERNAL_ADDRESS must be set: this machine's address cannot be found out "
            f"({error.strerror or error})"
        ) from error


def _database_host(database_url: str) -> str | None:
    """The first host of the URL; None for a local socket."""
    first = urlsplit(database_url).netloc.rpartition("@")[2].split(",")[0]
    if not first or first.startswith(("/", "%2F", "%2f")):
        return None
    return urlsplit(f"//{first}").hostname


def unreachable(own: str, elsewhere: Sequence[str]) -> list[str]:
    """Which addresses cannot lead from one machine to another, if there are several machines.

    Args:
        own: What this worker says.
        elsewhere: What workers with other data directories say.
    """
    if not elsewhere:
        return []
    return sorted({address for address in (own, *elsewhere) if _is_loopback(address)})


def _is_loopback(address: str) -> bool:
    host = urlsplit(f"//{address}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
