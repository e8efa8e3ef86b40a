"""An object whose events a test writes, for tests of calls between objects."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from app.core.errors import RoomAborted
from app.core.tasks import TaskOwner
from app.sdk import DurableObject, Request, Response, Stub

_tasks = TaskOwner("callers")

Step = Callable[["Node"], Awaitable[Any]]


class Own(Exception):
    """An author's exception that says of itself that it may pass."""

    retryable = True


class Node(DurableObject):
    """Does what a test says, and keeps a log of what was called."""

    steps: ClassVar[dict[str, Step]] = {}
    log: ClassVar[list[str]] = []
    gates: ClassVar[dict[str, asyncio.Event]] = {}

    def other(self, name: str, **options: Any) -> Stub:
        return self.ctx.namespace("node").get_by_name(name, **options)

    async def add(self, amount: int, *, twice: bool = False) -> int:
        total: int = await self.ctx.storage.get("total", 0)
        total += amount * (2 if twice else 1)
        self.ctx.storage.put("total", total)
        return total

    async def total(self) -> int:
        total: int = await self.ctx.storage.get("total", 0)
        return total

    async def echo(self, value: Any) -> Any:
        Node.log.append(f"echo {value!r}")
        return value

    async def note(self, word: str) -> None:
        Node.log.append(word)

    async def do(self, step: str) -> Any:
        return await self.steps[step](self)

    async def wait(self, gate: str) -> str:
        Node.log.append(f"waits {gate}")
        await self.gates[gate].wait()
        return gate

    async def fail(self, kind: str) -> None:
        self.ctx.storage.put("total", -1)
        if kind == "own":
            raise Own("it may pass")
        if kind == "aborted":
            raise RoomAborted("told by another object")
        raise ValueError(f"no {kind}")

    async def strange(self) -> object:
        return object()

    def plain(self) -> int:
        return 1

    async def _hidden(self) -> int:
        return 1

    async def on_request(self, request: Request) -> Response:
        self.ctx.storage.put("asked", request.path)
        return Response.json({"path": request.path, "length": len(request.body)}, status=201)


def reset() -> None:
    """Forget what earlier tests have said."""
    Node.steps = {}
    Node.log = []
    Node.gates = {}


async def result(call: Awaitable[Any]) -> Any:
    """For a task that awaits a call."""
    return await call


def start(call: Awaitable[Any]) -> "asyncio.Task[Any]":
    """Await a call in a task of its own."""
    return _tasks.start(result(call), name="call")
