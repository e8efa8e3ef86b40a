"""An object that does as little as a test of something else needs."""

from typing import Any

from app.sdk import AlarmInfo, Connection, DurableObject, Request, Response


class Jotter(DurableObject):
    """Keeps what it is given, and notes that its alarm rang."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.words: list[str] = []

    async def keep(self, key: str, value: object) -> None:
        self.ctx.storage.put(key, value)

    async def forget_all(self) -> None:
        self.ctx.storage.delete_all()

    async def wake_in(self, seconds: int, name: str = "") -> None:
        self.ctx.storage.set_alarm(self.ctx.now() + 1000 * seconds, name=name)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.words.append(str(message))
        connection.send(" ".join(self.words))

    def on_request(self, request: Request) -> Response:
        return Response(body=" ".join(self.words).encode())

    async def on_alarm(self, info: AlarmInfo) -> None:
        if await self.ctx.storage.get("refuse"):
            raise LookupError("not today")
        self.ctx.storage.put("rang", info.name or "alarm")
