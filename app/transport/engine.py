"""The WebSocket engine of one server: what uvicorn makes a protocol object by, for each socket.

    engine = SocketEngine(gate, max_frame_bytes=..., ping_seconds=..., pong_seconds=...)
    uvicorn.Config(app, ws=engine.protocol)

The handshake goes to the gate and not to the ASGI application; afterwards there is one
`PicowsSocket` a socket, and no task. The class that uvicorn makes is not a documented interface,
so uvicorn is pinned to a range (docs/decisions/0031).
"""

from typing import Any

from ..core.clock import Clock
from ..core.handshakes import HandshakeGate
from ..core.tasks import TaskOwner
from .pending import PendingSocket
from .ping_wheel import PingWheel
from .shared import ServerState, Shared


class SocketEngine:
    """See the module.

    Args:
        gate: Decides about handshakes.
        clock: Measures silence and patience.
        max_frame_bytes: The largest message, whole or in pieces; a larger one closes with 1009.
        ping_seconds: How often a client is pinged.
        pong_seconds: How long a client may be silent after a ping.
    """

    def __init__(
        self,
        gate: HandshakeGate,
        *,
        clock: Clock,
        max_frame_bytes: int,
        ping_seconds: float,
        pong_seconds: float,
    ) -> None:
        self._gate = gate
        self._tasks = TaskOwner("sockets")
        self._shared = Shared(
            clock=clock,
            max_frame_bytes=max_frame_bytes,
            ping_seconds=ping_seconds,
            pong_seconds=pong_seconds,
            wheel=PingWheel(clock, min(ping_seconds, pong_seconds)),
        )

    @property
    def open_sockets(self) -> int:
        """How many sockets are served at the moment."""
        return len(self._shared.wheel)

    def serve_for(self, server: ServerState) -> None:
        """Tell a server of our connections, those that are adopted as well."""
        self._shared.server = server

    def protocol(self, *, config: Any, server_state: Any, app_state: Any) -> PendingSocket:
        """What uvicorn calls for a connection whose request asks for a WebSocket."""
        del config, app_state  # ours are given, and there is no application behind a socket
        self.serve_for(server_state)
        return self._pending(admitted=False)

    def adopted(self) -> PendingSocket:
        """A protocol object for a connection that another worker of this machine has accepted.

        It is given what was read, in one piece. The client was let in, and it is not given away
        again.
        """
        return self._pending(admitted=True)

    async def close(self) -> None:
        """Give up the handshakes that are still going on."""
        await self._tasks.close()

    def _pending(self, *, admitted: bool) -> PendingSocket:
        return PendingSocket(self._gate, self._shared, self._tasks, admitted=admitted)
