"""Several channels over one socket: the contract between a subprotocol and the service.

A class that wants it names a subprotocol in `DurableObject.multiplexers`. Each socket that
negotiates it gets a `SocketMultiplexer` of its own, which splits the socket into channels; each
channel is a connection of its own, at an object of its own. The multiplexer does no I/O: it
turns a message into actions, which the service carries out in the order given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Join `channel` to an object.

    Its path is the socket's own path, `/` and `path_suffix`, or `path_suffix` alone when the
    socket's path is empty. When the object has accepted the connection, the service sends
    `accepted` on the socket, and only then anything of the channel. Messages delivered to the
    channel meanwhile wait for that. When the object refuses, the service closes the socket.

    Attributes:
        channel: The channel's name; no other channel of the socket has it.
        path_suffix: Appended to the socket's path.
        accepted: What the client is told before any traffic of the channel.
    """

    channel: str
    path_suffix: str
    accepted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """Take `channel` out of its object; nothing more is delivered to it or sent from it.

    The service calls `SocketMultiplexer.finished` when the object has let go. The same name may
    be opened again before that: it is then a new connection, opened after the old one is gone.
    """

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Hand `payload` to the object of `channel` as a message of that connection.

    When the object closes that connection, the service closes the whole socket alike. When the
    object goes away without meaning that (its worker died or drained) and its class resumes, the
    service joins the channel to the object's next room, and the multiplexer hears nothing of it.
    """

    channel: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Send `text` on the socket, after whatever the actions before it sent."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Close the socket; it is always the last action."""

    code: int
    reason: str


Action = Open | Shut | Deliver | Reply | Fail


class SocketMultiplexer(Protocol):
    """One socket split into channels."""

    def receive(self, message: str | bytes, now: float) -> Sequence[Action]:
        """Return what to do about a message of the client, in order.

        It never raises on account of what the client sent. `now` is in monotonic seconds. After
        a `Fail` it is not called again.
        """
        ...

    def wrap(self, channel: str, payload: str) -> str:
        """Return the text for the socket that carries a message of `channel` to the client."""
        ...

    def finished(self, channel: str) -> None:
        """Take note that a channel which was shut has left its object."""
        ...
