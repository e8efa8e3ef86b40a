"""Moves and drains between whole services on real Postgres, while objects are asked."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from app.cluster.moving import Mover
from app.core.errors import StateroomError
from app.core.ids import ObjectId, WorkerId
from app.core.tasks import TaskOwner
from app.sdk import DurableObject, Request, Response
from app.settings import load_settings
from app.store.database import Database
from app.wiring import Service
from tests.integration.cluster.alarmed import until

OBJECTS = 12
ROUNDS = 6


class Count(DurableObject):
    """Counts how often it is asked, durably."""

    async def on_request(self, request: Request) -> Response:
        count = await self.ctx.storage.get("count", 0) + 1
        self.ctx.storage.put("count", count)
        return Response(body=str(count))


class Pair:
    """Two services on one database."""

    def __init__(self, services: list[Service], database: Database) -> None:
        self.services = services
        self.database = database
        self.answered: Counter[str] = Counter()
        self.latest: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def object_id(self, name: str) -> ObjectId:
        return self.database.object_ids.from_name("count", name)

    def mover(self, number: int) -> Mover:
        mover = self.services[number].mover
        assert mover is not None
        return mover

    def worker_id(self, number: int) -> WorkerId:
        return self.services[number]._current.worker_id

    async def ask(self, number: int, name: str) -> int:
        locator = self.services[number].locator
        assert locator is not None
        response, _ = await locator.request(self.object_id(name), Request())
        return int(await response.read())

    async def keep_asking(self, number: int, name: str) -> None:
        """Ask one object at one service, again and again; what it answers only ever grows."""
        while True:
            try:
                count = await self.ask(number, name)
            except StateroomError as error:
                self.failed[error.code] += 1
                continue
            self.answered[name] += 1
            assert count > self.latest[f"{number} {name}"]
            self.latest[f"{number} {name}"] = count

    async def holder(self, name: str) -> object:
        rows = await self.database.fetch(
            "select worker_id from object where object_id = $1", self.object_id(name).uuid
        )
        return rows[0]["worker_id"]


@pytest.fixture
async def pair(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        services: list[Service] = []
        for number in range(2):
            settings = load_settings(
                database_url=database_url,
                data_dir=tmp_path / f"{number}",
                lease_seconds=20.0,
            )
            service = Service(settings, {"count": Count})
            stack.push_async_callback(service.stop)
            await service.start()
            services.append(service)
        yield Pair(services, database)


async def test_an_object_moves_there_and_back(pair: Pair) -> None:
    assert await pair.ask(0, "a") == 1
    object_id = pair.object_id("a")
    for number in (1, 0):
        worker_id = pair.worker_id(number)
        assert await pair.mover(0).move(object_id, worker_id) == worker_id
        assert await pair.holder("a") == worker_id
    assert await pair.mover(1).move(object_id) == pair.worker_id(1)
    assert [await pair.ask(0, "a"), await pair.ask(1, "a")] == [2, 3]


async def test_under_load_moves_and_drains_lose_nothing_that_was_answered(pair: Pair) -> None:
    names = [f"{number}" for number in range(OBJECTS)]
    tasks = TaskOwner("askers")
    for name in names:
        for number in range(2):
            tasks.start(pair.keep_asking(number, name), name=name)
    await until(lambda: len(pair.answered) == OBJECTS)
    dice = random.Random(1)
    for round_ in range(ROUNDS):
        drained = round_ % 2
        await pair.mover(drained).drain_worker()
        await until(partial(getattr, pair.mover(drained), "drained"))
        held = [await pair.holder(name) for name in names]
        assert set(held) <= {pair.worker_id(1 - drained), None}
        await pair.mover(drained).undrain()
        for name in dice.sample(names, 4):
            await pair.mover(dice.randrange(2)).move(pair.object_id(name))
    before = dict(pair.answered)
    await until(lambda: all(pair.answered[name] > before[name] for name in names))
    await tasks.close()
    for name in names:
        final = await pair.ask(0, name)
        assert final > pair.answered[name], "everything that was answered was counted"
    assert not pair.failed, "a drain waits for what has begun; the rest goes to the next owner"


async def test_a_service_that_stops_gives_its_objects_to_the_other_one(pair: Pair) -> None:
    for number in range(OBJECTS):
        await pair.ask(0, f"{number}")
    await pair.services[0].stop()
    async with asyncio.timeout(10):
        for number in range(OBJECTS):
            assert await pair.ask(1, f"{number}") == 2
