"""Objects whose events a test writes on the spot, and a store whose reads it may hold back."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, ClassVar

from app.core.ids import ObjectId
from app.core.tasks import TaskOwner
from app.core.values import KeyRange, Page
from app.sdk import Connection, DurableObject, Request, Response, Storage
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase, MemoryObjectStore

_tasks = TaskOwner("test")

Step = Callable[..., Any]
Call = asyncio.Task[Any]


class Stage(DurableObject):
    """Runs what a test has put into `steps`: by calls, requests, messages, timers and alarms."""

    steps: ClassVar[dict[str, Step]] = {}
    heard: ClassVar[list[str]] = []
    starts: ClassVar[int] = 0

    def __init__(self, ctx: Any) -> None:
        super().__init__(ctx)
        self.field = 0
        if "init" in Stage.steps:
            Stage.steps["init"](self)

    def on_start(self) -> None:
        Stage.starts += 1
        Stage.heard.append("start")

    async def run(self, name: str, *given: Any) -> Any:
        """Do a step."""
        Stage.heard.append(f"run {name}")
        return await Stage.steps[name](self, *given)

    async def say(self, word: str) -> str:
        """Be heard."""
        Stage.heard.append(word)
        return word

    async def on_request(self, request: Request) -> Response:
        return Response(body=str(await self.run(request.path)))

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        await self.run(str(message), connection)

    async def on_alarm(self, info: Any) -> None:
        await self.run("alarm", info)

    def on_evict(self, reason: str) -> None:
        if "evict" in Stage.steps:
            Stage.steps["evict"](self, reason)

    @property
    def storage(self) -> Storage:
        return self.ctx.storage


class Interleaved(Stage):
    """The same by the rules of the input gate."""

    interleave = True


class HeldStore(MemoryObjectStore):
    """The twin, whose reads a test may hold back."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.reads = asyncio.Event()
        self.reads.set()

    async def read(self, object_id: ObjectId, keys: Collection[bytes]) -> dict[bytes, bytes]:
        await self.reads.wait()
        return await super().read(object_id, keys)

    async def scan(self, object_id: ObjectId, wanted: KeyRange) -> Page:
        await self.reads.wait()
        return await super().scan(object_id, wanted)


class StageHarness(ObjectHarness):
    """A worker with both kinds, named `plain` and `free`, and with the store that may be held."""

    classes: ClassVar[dict[str, type[DurableObject]]] = {"plain": Stage, "free": Interleaved}

    def __init__(self, **options: Any) -> None:
        Stage.steps, Stage.heard, Stage.starts = {}, [], 0
        super().__init__(self.classes, **options)
        self.slow = HeldStore(self.database)
        object.__setattr__(self.registry._environment, "store", self.slow)

    async def ready(self, kind: str, name: str = "a") -> None:
        """Have the object started, and nothing of it in the cache."""
        room = await self.room(kind, name)
        room.lane.cache.clear()
        Stage.heard.clear()

    def run(self, kind: str, step: str, *given: Any, name: str = "a") -> Call:
        """Let an object do a step, without waiting for it."""
        return begin(self.stub(kind, name).run(step, *given))


def begin(call: Any) -> Call:
    """Make a call and go on without its answer."""

    async def result() -> Any:
        return await call

    return _tasks.start(result(), name="call")


def future() -> "asyncio.Future[Any]":
    """Something that happens when a test says so."""
    return asyncio.get_running_loop().create_future()
