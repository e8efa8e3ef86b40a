"""TinyBase's server class with its hooks, in Python."""

from stateroom import Request, Response
from stateroom.tinybase import TinyBaseRoom


class Server(TinyBaseRoom):
    def seed(self) -> None:
        self.set_tables({"pets": {"fido": {"species": "dog"}}})
        self.set_value("open", value=True)

    def on_path_id(self, path_id: str, change: int) -> None:
        self.ctx.log("path added" if change > 0 else "path removed", path_id=path_id)

    def on_client_id(self, path_id: str, client_id: str, change: int) -> None:
        self.ctx.log("client added" if change > 0 else "client removed", client_id=client_id)
        self.set_value("clients", len(self.get_client_ids()))

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        self.ctx.log("message", sender=from_client_id, receiver=to_client_id or "everybody")

    async def on_request(self, request: Request) -> Response:
        return Response.json({"path": self.get_path_id(), "clients": self.get_client_ids()})
