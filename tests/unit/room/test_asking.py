"""Questions to an instance: the answer leaves through the gate."""

import asyncio
from typing import Any

import pytest

from app.core.errors import ObjectFault, OwnershipLost, RoomAborted
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.sdk import Request, Response
from app.testing.harness import ObjectHarness
from tests.unit.room.objects import Probe

_tasks = TaskOwner("test")


def _ask(harness: ObjectHarness) -> "asyncio.Task[Response]":
    return _tasks.start(harness.request("probe", "a", Request()), name="request")


async def test_54_an_answer_waits_for_the_writes_it_could_reveal(harness: ObjectHarness) -> None:
    def request(self: Probe) -> Response:
        self.ctx.storage.put("key", 1)
        return Response(body="done")

    Probe.hooks = {"request": request}
    await harness.room("probe", "a")
    harness.committer.hold()
    asking = _ask(harness)
    await harness.settle()
    assert not asking.done()
    harness.committer.commit_now()
    assert (await asking).body == "done"


async def test_58_an_answer_without_writes_does_not_wait(harness: ObjectHarness) -> None:
    Probe.hooks = {"request": lambda _self: Response(body="at once")}
    harness.committer.hold()
    assert (await harness.request("probe", "a", Request())).body == "at once"


async def test_59_an_answer_whose_commit_fails_is_never_given(harness: ObjectHarness) -> None:
    def request(self: Probe) -> Response:
        self.ctx.storage.put("key", 1)
        return Response(body="never")

    Probe.hooks = {"request": request}
    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await harness.request("probe", "a", Request())


async def test_an_exception_is_told_by_its_class_and_text(harness: ObjectHarness) -> None:
    Probe.hooks = {"request": lambda _self: int("x")}
    with pytest.raises(ObjectFault, match="ValueError: invalid literal"):
        await harness.request("probe", "a", Request())


async def test_everybody_who_waits_is_told_when_the_room_is_over(harness: ObjectHarness) -> None:
    gate: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    Probe.hooks = {"request": lambda _self: gate}
    asking = [_ask(harness) for _ in range(3)]
    await harness.settle()
    room = harness.live_room("probe", "a")
    assert room is not None
    asking[2].cancel()
    await harness.settle()
    room.abort(RoomAborted("over"))
    for task in asking[:2]:
        with pytest.raises(RoomAborted, match="over"):
            await task
    gate.set_result(Response())
    await harness.settle()


async def test_an_answer_that_nobody_waits_for_any_more_disturbs_nobody(
    harness: ObjectHarness,
) -> None:
    def request(self: Probe) -> Response:
        self.ctx.storage.put("key", 1)
        return Response()

    Probe.hooks = {"request": request}
    await harness.room("probe", "a")
    harness.committer.hold()
    asking = _ask(harness)
    await harness.settle()
    asking.cancel()
    await harness.settle()
    harness.committer.release()
    await harness.settle()
    assert harness.stored("probe", "a").keys() == {b"key"}


async def test_a_room_that_is_over_answers_nobody(harness: ObjectHarness) -> None:
    room = await harness.room("probe", "a")
    room.abort(RoomAborted())
    with pytest.raises(RoomAborted):
        await room.request(Request())
