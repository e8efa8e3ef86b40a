"""The listening socket, bound by ourselves so that a taken port is one clear line.

It is bound before anything else starts, and listens only when the service is ready: until then a
client is refused rather than kept waiting.
"""

import errno
import ipaddress
import os
import socket
from typing import Any

from ..core.errors import ConfigurationInvalid, PortTaken, StartupError

BACKLOG = 2048


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a TCP socket bound to the address; port 0 takes a free one.

    Raises:
        PortTaken: Somebody listens there.
        ConfigurationInvalid: There is no such address on this machine.
        StartupError: The system refuses it, for a port below 1024 mostly.
    """
    family, address = _resolve(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose last connections still fade away is free; one that is listened on is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _refusal(error, host, port) from error
    listener.settimeout(0)  # the event loop wants it non-blocking
    return listener


def start_listening(listener: socket.socket) -> None:
    """Accept connections from now on.

    Raises:
        PortTaken: Somebody was faster.
    """
    host, port = listener.getsockname()[:2]
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise _refusal(error, host, port) from error


def base_url(listener: socket.socket) -> str:
    """Return `http://host:port` of a bound socket, as a person on this machine can use it."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return f"http://127.0.0.1:{port}"
    return f"http://[{host}]:{port}" if address.version == 6 else f"http://{host}:{port}"  # noqa: PLR2004 - IPv6


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        detail = f"STATEROOM_HOST: {host!r} is no address and no name that can be resolved"
        raise ConfigurationInvalid(detail) from error
    # A name may have both families; the ready line and most clients say 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _refusal(error: OSError, host: str, port: int) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(f"Port {port} of {host} is already in use")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigurationInvalid(f"STATEROOM_HOST: {host} is not an address of this machine")
    reason = os.strerror(error.errno) if error.errno else str(error)
    remedy = "Choose another --host or a --port above 1023."
    return StartupError(f"Cannot listen on port {port} of {host} ({reason})", remedy=remedy)
