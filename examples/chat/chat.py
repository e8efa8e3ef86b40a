"""A chat room that costs nothing while nobody speaks."""

from datetime import timedelta
from typing import Any

from stateroom import Connection, DurableObject, Request

KEPT = timedelta(days=7)
SHOWN = 50


class Chat(DurableObject):
    async def on_start(self) -> None:
        # A browser's heartbeat is answered without waking the object.
        self.ctx.set_auto_response("ping", "pong")

    async def on_connect(self, connection: Connection, request: Request) -> None:
        # The attachment outlives hibernation, as the socket does; a field of self does not.
        connection.attachment = {"name": request.path.strip("/") or "somebody"}
        latest = await self.ctx.storage.list(prefix="said:", reverse=True, limit=SHOWN)
        for line in reversed(latest.values()):
            connection.send(line)
        self.ctx.broadcast(f"* {_name(connection)} came", exclude=connection)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        line = f"{_name(connection)}: {message!s}"
        number: int = await self.ctx.storage.get("said", 0) + 1
        self.ctx.storage.put("said", number)
        gone_at = self.ctx.now() + int(KEPT / timedelta(milliseconds=1))
        self.ctx.storage.put(f"said:{number:012}", line, expires_at=gone_at)
        self.ctx.broadcast(line)  # leaves when the line is stored, and not before

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.ctx.broadcast(f"* {_name(connection)} left")


def _name(connection: Connection) -> str:
    attachment: Any = connection.attachment
    return str(attachment["name"])
