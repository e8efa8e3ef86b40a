"""A counter that every client of a room shares; it survives restarts and crashes."""

from stateroom import Connection, DurableObject


class Counter(DurableObject):
    async def on_start(self) -> None:
        self.count = await self.ctx.storage.get("count", 0)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.count += 1
        self.ctx.storage.put("count", self.count)  # committed before the frame below leaves
        self.ctx.broadcast(str(self.count))
