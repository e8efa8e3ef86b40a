"""Reads that are awaited by way of tasks: nobody passes between them and what depends on them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import count
from typing import Any

import pytest

from app.sdk import Storage
from tests.conformance.gate_stage import Stage, StageHarness, future

Ways = Callable[[Storage], Coroutine[Any, Any, int]]


@pytest.fixture
async def harness() -> AsyncIterator[StageHarness]:
    async with StageHarness() as made:
        yield made


async def _by_gather(storage: Storage) -> int:
    found, _ = await asyncio.gather(storage.get("count", 0), storage.get("other"))
    return int(found)


async def _by_group(storage: Storage) -> int:
    async with asyncio.TaskGroup() as group:
        found = group.create_task(storage.get("count", 0))
        group.create_task(storage.list())
    return int(found.result())


async def _by_task(storage: Storage) -> int:
    found = await asyncio.create_task(storage.get_many(["count"]))  # noqa: TID251 - an author's own
    return int(found.get("count", 0))


async def _within_a_time(storage: Storage) -> int:
    return int(await asyncio.wait_for(storage.get("count", 0), 10))


async def _by_gather_of_gathers(storage: Storage) -> int:
    found = await asyncio.gather(
        asyncio.gather(storage.get("count", 0)), asyncio.gather(storage.get("other"))
    )
    return int(found[0][0])


async def _total(self: Stage) -> Any:
    return await self.storage.get("count")


WAYS = (_by_gather, _by_group, _by_task, _within_a_time, _by_gather_of_gathers)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("held", [False, True])
async def test_nothing_is_lost_between_reads_awaited_as_tasks_and_the_write(
    harness: StageHarness, way: Ways, *, held: bool
) -> None:
    async def add(self: Stage) -> None:
        self.storage.put("count", await way(self.storage) + 1)

    await harness.ready("free")
    Stage.steps = {"add": add}
    if held:
        harness.slow.reads.clear()
    calls = [harness.run("free", "add") for _ in range(20)]
    await harness.settle()
    harness.slow.reads.set()
    await asyncio.gather(*calls)
    assert harness.contents("free", "a") == {"count": 20}


@pytest.mark.parametrize("kind", ["plain", "free"])
async def test_nothing_is_lost_in_work_beside_the_events(harness: StageHarness, kind: str) -> None:
    async def add(self: Stage) -> None:
        self.storage.put("count", await _by_gather(self.storage) + 1)
        if next(ended) == 20:
            over.set_result(None)

    async def begin(self: Stage) -> None:
        for _ in range(20):
            self.ctx.wait_until(add(self))

    over, ended = future(), count(1)
    await harness.ready(kind)
    Stage.steps = {"begin": begin, "total": _total}
    await harness.run(kind, "begin")
    await over
    assert await harness.run(kind, "total") == 20


async def test_a_read_that_nobody_awaits_keeps_nobody_from_passing(harness: StageHarness) -> None:
    never = future()

    async def ask(self: Stage) -> None:
        reading = self.storage.get("count")
        try:
            await never
        finally:
            reading.close()  # a coroutine, which nobody awaits

    await harness.ready("free")
    Stage.steps = {"ask": ask}
    asking = harness.run("free", "ask")
    await harness.settle()
    assert await harness.stub("free", "a").say("second") == "second"
    never.set_result(None)
    await asking


async def test_others_run_while_gathered_reads_may_be_overtaken(harness: StageHarness) -> None:
    async def read(self: Stage) -> None:
        await asyncio.gather(self.storage.get("count", allow_concurrency=True))

    await harness.ready("free")
    Stage.steps = {"read": read}
    harness.slow.reads.clear()
    reading = harness.run("free", "read")
    await harness.settle()
    assert await harness.stub("free", "a").say("second") == "second"
    harness.slow.reads.set()
    await reading
