"""An object that answers requests and keeps nothing: a room of it is held, and that is all."""

from __future__ import annotations

from stateroom import DurableObject, Request, Response


class Still(DurableObject):
    """Mounted by `bench.heartbeat`."""

    async def on_request(self, request: Request) -> Response:
        """Answer."""
        del request
        return Response(status=204)
