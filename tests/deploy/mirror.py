"""An object that tells each client which address it comes from."""

from stateroom import Connection, DurableObject, Request, Response


class Mirror(DurableObject):
    """See the module."""

    def on_request(self, request: Request) -> Response:
        return Response(body=request.client)

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.send(request.client)
