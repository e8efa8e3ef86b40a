"""A call whose code has begun is never made again by itself, here and over a link."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from app.core.errors import OwnedElsewhere, RoomAborted, StateroomError, WorkerLeaving
from app.core.tasks import TaskOwner
from app.sdk import DurableObject, Request, Response
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import Worker

_tasks = TaskOwner("test")


class Fragile(DurableObject):
    """Counts how often each path was begun, and fails in the way that the path says."""

    begun: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event]

    async def on_request(self, request: Request) -> Response:
        self.begun.append(request.path)
        match request.path:
            case "/abort":
                self.ctx.abort()
            case "/elsewhere":
                raise OwnedElsewhere("what the object itself was told by another one")
            case "/leaving":
                raise WorkerLeaving
            case "/aborted":
                raise RoomAborted
            case "/wait":
                await self.gate.wait()
        return Response(body="done")


@pytest.fixture(params=["owner", "edge"])
async def asked(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Worker, Worker]]:
    """The worker that is asked, and the one that holds the object."""
    Fragile.begun = []
    Fragile.gate = asyncio.Event()
    database = MemoryDatabase()
    classes = {"f": Fragile}
    async with Worker(database, classes) as owner, Worker(database, classes) as edge:
        await owner.registry.room(owner.object_id("f", "x"))
        await edge.locator.find(edge.object_id("f", "x"))
        yield (owner if request.param == "owner" else edge), owner


@pytest.mark.parametrize("path", ["/abort", "/elsewhere", "/leaving", "/aborted"])
async def test_an_event_that_failed_is_not_run_again_whatever_its_error_looks_like(
    asked: tuple[Worker, Worker], path: str
) -> None:
    worker, _ = asked
    with pytest.raises(StateroomError):
        await worker.locator.request(worker.object_id("f", "x"), Request(path=path))
    assert Fragile.begun == [path]


async def test_a_room_lost_under_a_running_event_fails_it_and_runs_those_that_waited_again(
    asked: tuple[Worker, Worker],
) -> None:
    worker, owner = asked
    object_id = worker.object_id("f", "x")
    running = _tasks.start(worker.locator.request(object_id, Request(path="/wait")), name="first")
    async with asyncio.timeout(10):
        while not Fragile.begun:  # noqa: ASYNC110 - a real link brings it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls a real link
    (room,) = owner.registry.rooms
    waiting = [
        _tasks.start(worker.locator.request(object_id, Request(path="/next")), name="next")
        for _ in range(3)
    ]
    async with asyncio.timeout(10):
        while len(room._parts.mailbox) < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)  # noqa: TID251 - as above
    room.abort(RoomAborted("lost"))
    with pytest.raises(RoomAborted):
        await running
    answers = await asyncio.gather(*waiting)
    assert [response.body for response, _ in answers] in ([b"done"] * 3, ["done"] * 3)
    assert Fragile.begun == ["/wait", "/next", "/next", "/next"]
