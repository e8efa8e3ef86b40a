"""An object that stores who came and how each of them went."""

from app.sdk import Connection, DurableObject, Request, Response


class GuestBook(DurableObject):
    """Answers `ping` by itself and every request with its book: `[id, code, clean]` of each end."""

    def on_start(self) -> None:
        self.ctx.set_auto_response("ping", "pong")

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.send(connection.id)

    async def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        ends = await self.ctx.storage.get("ends", [])
        self.ctx.storage.put("ends", [*ends, [connection.id, code, clean]])

    async def on_request(self, request: Request) -> Response:
        here = [connection.id for connection in self.ctx.connections()]
        return Response.json({"here": here, "ends": await self.ctx.storage.get("ends", [])})
