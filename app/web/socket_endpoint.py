"""WebSockets on any ASGI server: by the gateway's rules, through ASGI's queue.

`stateroom serve` does not come by here, except with `socket_engine=uvicorn`.
"""

from starlette.websockets import WebSocket

from ..core.clock import Clock
from ..core.handshakes import Handshake, HandshakeGate
from ..core.tasks import TaskOwner
from .queued import QueuedSocket
from .requests import headers_of


class SocketEndpoint:
    """See the module.

    Args:
        gate: Decides about handshakes.
        clock: Measures turns and deadlines.
        tasks: Owner of writers.
    """

    def __init__(self, gate: HandshakeGate, *, clock: Clock, tasks: TaskOwner) -> None:
        self._gate = gate
        self._clock = clock
        self._tasks = tasks
        self.open_sockets = 0
        """How many are served at the moment, those whose handshake is under way too."""

    async def handle(self, websocket: WebSocket) -> None:
        """Serve one socket to its end."""
        await websocket.receive()
        offer = QueuedSocket(websocket.send, self._tasks, self._clock)
        self.open_sockets += 1
        try:
            work = self._gate.decide(_handshake_of(websocket), offer)
            if work is not None:
                await work
            await offer.carry(websocket.receive)
        finally:
            self.open_sockets -= 1


def _handshake_of(websocket: WebSocket) -> Handshake:
    scope, client = websocket.scope, websocket.client
    return Handshake(
        path=scope.get("raw_path") or websocket.url.path.encode(),
        query=scope["query_string"].decode("latin-1"),
        headers=headers_of(websocket),
        client=client.host if client is not None else "",
        subprotocols=tuple(scope.get("subprotocols", ())),
    )
