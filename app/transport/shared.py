"""What all sockets of one server share."""

from collections.abc import MutableSet, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..core.clock import Clock
from .ping_wheel import PingWheel


class ServerState(Protocol):
    """What uvicorn knows of its connections.

    Attributes:
        connections: What is open; each has `shutdown()`.
        default_headers: What every answer carries, `date` for one; replaced every second.
    """

    connections: set[Any]
    default_headers: list[tuple[bytes, bytes]]


class NoServer:
    """Nobody else knows of the connections."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.default_headers: list[tuple[bytes, bytes]] = []


@dataclass(slots=True, kw_only=True)
class Shared:
    """See the module.

    Attributes:
        clock: Measures silence and patience.
        max_frame_bytes: The largest message, whole or in pieces.
        ping_seconds: How often a client is pinged.
        pong_seconds: How long a client may be silent after a ping.
        wheel: Looks after them.
        server: Whose connections they are.
    """

    clock: Clock
    max_frame_bytes: int
    ping_seconds: float
    pong_seconds: float
    wheel: PingWheel
    server: ServerState = field(default_factory=NoServer)

    @property
    def connections(self) -> MutableSet[Any]:
        """What the server knows as open."""
        return self.server.connections

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """What every answer to a handshake carries."""
        return self.server.default_headers
