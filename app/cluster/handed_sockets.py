"""Which sockets of this machine's other workers are taken: those of objects whose room is here.

What was decided elsewhere may be old. A room that is gone is not ours to serve: whoever offers
its socket claims the object or asks who has it, as for any socket. And a room that leaves, or a
worker that does, takes none: who waits for such a room is told over a link where it goes.
Between the answer and the handshake the room may still move; then the socket is served like any
that was accepted here, over a link if need be, and is not handed on again.
"""

import socket

from ..core.errors import IdInvalid
from ..core.handoff import Adopt, HandoffAnswer, Offer
from .registry import RoomRegistry


class HandedSockets:
    """See the module; it is a `SocketTaker`."""

    def __init__(self) -> None:
        self._registry: RoomRegistry | None = None
        self._adopt: Adopt | None = None

    def belong_to(self, registry: RoomRegistry) -> None:
        """Take sockets of these rooms; before, none is taken."""
        self._registry = registry

    def serve(self, adopt: Adopt | None) -> None:
        """Let sockets be served so; without, none is taken."""
        self._adopt = adopt

    def answer(self, offer: Offer) -> HandoffAnswer:
        """See `SocketTaker.answer`."""
        registry = self._registry
        if registry is None or self._adopt is None or not registry.taking:
            return HandoffAnswer.NOT_NOW
        if offer.namespace not in registry.namespaces:
            return HandoffAnswer.NOT_NOW
        try:
            object_id = registry.ids.from_string(offer.namespace, offer.object_id)
        except IdInvalid:
            return HandoffAnswer.NOT_NOW
        if registry.gives_up(object_id):
            return HandoffAnswer.NOT_NOW
        return HandoffAnswer.TAKEN if object_id in registry else HandoffAnswer.NOT_MINE

    def adopt(self, client: socket.socket, offer: Offer) -> None:
        """See `SocketTaker.adopt`."""
        if self._adopt is None:
            client.close()
        else:
            self._adopt(client, offer.head)
