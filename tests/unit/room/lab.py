"""An object whose events a test writes on the spot."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

import pytest

from app.core.tasks import TaskOwner
from app.sdk import Connection, DurableObject, Request, Response, Storage
from app.testing.driving import Harness

_tasks = TaskOwner("test")

Step = Callable[["Lab"], Awaitable[Any] | Any]


class Lab(DurableObject):
    """Runs the step it is given as a whole event of `on_request`."""

    step: ClassVar[Step | None] = None
    result: ClassVar[Any] = None
    begun: ClassVar[int] = 0

    def on_start(self) -> None:
        Lab.begun += 1

    async def on_request(self, request: Request) -> Response:
        step = Lab.step
        assert step is not None
        result = step(self)
        Lab.result = await result if isinstance(result, Awaitable) else result
        return Response()

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.ctx.broadcast(message)

    @property
    def storage(self) -> Storage:
        return self.ctx.storage


class InterleavingLab(Lab):
    """The same, its events running among each other."""

    interleave = True


LABS: Final = (
    pytest.param(Lab, id="one-at-a-time"),
    pytest.param(InterleavingLab, id="interleave"),
)
"""Both modes of events."""


def interleaves(harness: Harness) -> bool:
    """Whether the lab's events run among each other."""
    return harness.registry.namespaces.mount("lab").cls is InterleavingLab


async def perform(harness: Harness, step: Step, name: str = "a") -> Any:
    """Run one event of the object and return what it returned; its writes are committed."""
    Lab.step = step
    await harness.request("lab", name, Request())
    return Lab.result


async def forget(harness: Harness, name: str = "a") -> None:
    """Let the object hibernate, so that nothing of it is in memory."""
    room = await harness.room("lab", name)
    await harness.settle()
    await room.hibernate()
    assert not room.awake


def begin(harness: Harness, step: Step) -> "asyncio.Task[Any]":
    """Start one event without waiting for its end."""
    return _tasks.start(perform(harness, step), name="event")
