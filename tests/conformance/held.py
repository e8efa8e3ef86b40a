"""An object whose events last until a test lets them go."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar

from app.core.tasks import TaskOwner
from app.sdk import Connection, DurableObject, Request, Response, Stub
from app.testing.harness import ObjectHarness

_tasks = TaskOwner("test")


class Held(DurableObject):
    """Notes what it is told, and waits where a test says so."""

    heard: ClassVar[list[str]] = []
    gates: ClassVar[dict[str, asyncio.Event]] = {}
    starts: ClassVar[int] = 0

    def on_start(self) -> None:
        Held.starts += 1
        self.field = 0

    async def hold(self, gate: str) -> str:
        Held.heard.append(f"hold {gate}")
        await Held.gates.setdefault(gate, asyncio.Event()).wait()
        return gate

    async def note(self, word: str) -> str:
        Held.heard.append(word)
        return word

    async def add(self, amount: int) -> int:
        total: int = await self.ctx.storage.get("total", 0) + amount
        self.ctx.storage.put("total", total)
        return total

    async def own_name(self) -> str | None:
        return self.ctx.id.name

    async def count(self) -> int:
        """Count in memory only."""
        self.field += 1
        return self.field

    async def on_request(self, request: Request) -> Response:
        return Response(body=await self.note(request.path))

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        Held.heard.append(str(message))
        if str(message).startswith("hold "):
            await self.hold(str(message).removeprefix("hold "))
        connection.send(f"heard {message!s}")


def reset() -> None:
    """Forget what earlier tests have said."""
    Held.heard = []
    Held.gates = {}
    Held.starts = 0


def let_go(gate: str) -> None:
    """Let an event that waits go on."""
    Held.gates.setdefault(gate, asyncio.Event()).set()


def held(harness: ObjectHarness, name: str = "a", **options: Any) -> Stub:
    """A stub of one of these objects, mounted as `held`."""
    return harness.stubs.namespace("held").get_by_name(name, **options)


Call = asyncio.Future[Any]


def begin(call: Awaitable[Any]) -> Call:
    """Make a call and go on without its answer; one that fails unheard is not reported."""
    answer: Call = asyncio.get_running_loop().create_future()

    async def run() -> None:
        try:
            answer.set_result(await call)
        except Exception as error:  # noqa: BLE001 - it is the answer
            answer.set_exception(error)
            answer.exception()

    _tasks.start(run(), name="call")
    return answer
