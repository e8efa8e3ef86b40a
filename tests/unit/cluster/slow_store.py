"""A worker in memory whose claims a test may hold back."""

import asyncio
from typing import Any, ClassVar

from app.core.ids import ObjectId, WorkerId
from app.core.tasks import TaskOwner
from app.core.values import Claim
from app.room.room import Room
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.harness import ObjectHarness, WorkerBounds
from app.testing.memory import MemoryDatabase, MemoryObjectStore

_tasks = TaskOwner("test")


class Plain(DurableObject):
    """Counts its starts."""

    starts: ClassVar[int] = 0
    fail: ClassVar[bool] = False

    def on_start(self) -> None:
        type(self).starts += 1
        if self.fail:
            raise RuntimeError("not today")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.ctx.storage.put("key", message)
        connection.send(message)

    def on_request(self, request: Request) -> Response:
        return Response(body="here")


class SlowStore(MemoryObjectStore):
    """The twin, with claims that a test may hold back."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.claims = 0
        self.held: asyncio.Future[None] | None = None

    def hold(self) -> "asyncio.Future[None]":
        self.held = asyncio.get_running_loop().create_future()
        return self.held

    async def claim(self, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        self.claims += 1
        claim = await super().claim(object_id, worker_id)
        if self.held is not None:
            await self.held
        return claim


class SlowHarness(ObjectHarness):
    """A harness on the slow store."""

    def __init__(self, *, bounds: WorkerBounds | None = None) -> None:
        super().__init__({"plain": Plain}, bounds=bounds)
        self.slow = SlowStore(self.database)
        object.__setattr__(self.registry._environment, "store", self.slow)


def ask_for_room(harness: ObjectHarness, name: str = "a") -> "asyncio.Task[Room]":
    """Ask for the live room of an object, without waiting for it."""
    return _tasks.start(harness.room("plain", name), name="room")


async def gather_rooms(asking: list["asyncio.Task[Room]"]) -> list[Any]:
    """What each of those that asked has got: a room, or an error."""
    return await asyncio.gather(*asking, return_exceptions=True)
