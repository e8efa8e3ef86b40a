"""How a server hands a WebSocket's handshake to whoever decides about it, and takes the answer.

The server side (`app.transport`, or the ASGI endpoint) reads the request into a `Handshake` and
offers the socket; the gateway (`app.web`) accepts or refuses the offer, exactly once. All calls
are plain and made on the event loop.
"""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .handoff import GivableSocket
from .sockets import SocketSink, SocketTransport


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What a client asked for.

    Attributes:
        path: The raw path, undecoded, beginning with `/`.
        query: The raw query string without `?`.
        headers: Lower-case names; the values of repeated headers are joined by `, `.
        client: The client's address, or empty.
        subprotocols: What the client offered, in its order.
    """

    path: bytes
    query: str
    headers: Mapping[str, str]
    client: str
    subprotocols: tuple[str, ...]


class Refusal(NamedTuple):
    """An HTTP answer in place of a handshake; the connection is closed behind it."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class OpenSocket(SocketTransport, Protocol):
    """A socket whose handshake is over."""

    def attach(self, sink: SocketSink) -> None:
        """Give every message to `sink`, and tell it the end, also if the socket is gone by now."""
        ...


class OfferedSocket(GivableSocket, Protocol):
    """A socket whose handshake is not answered yet. It is not read until it is.

    It is accepted, refused or given away, once.
    """

    @property
    def admitted(self) -> bool:
        """Whether another worker of this machine has let the client in, and handed it over."""
        ...

    def accept(self, subprotocol: str | None) -> OpenSocket:
        """Answer the handshake. A client that is gone by now is told to the sink, as any end."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a status, and close."""
        ...


class HandshakeGate(Protocol):
    """Who decides about sockets."""

    def decide(
        self, handshake: Handshake, offer: OfferedSocket
    ) -> Coroutine[Any, Any, None] | None:
        """Accept or refuse the offer, or return the work that will. Raises nothing.

        The work ends with the handshake, has deadlines of its own, and may be cancelled: then
        the offer is refused.
        """
        ...
