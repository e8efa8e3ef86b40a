"""Many objects on several workers call one another at random: nothing hangs, nothing is lost."""

import asyncio
import random
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import pytest

from app.core.errors import CallDeadlock
from app.core.tasks import TaskOwner
from app.sdk import DurableObject
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import Worker

_tasks = TaskOwner("test")
_LONG = 60.0
_OBJECTS = 12
_WALKS = 150


class Walker(DurableObject):
    """Goes on along a path of names; at a fork it goes both ways at once."""

    begun: ClassVar[list[int]] = []
    refused: ClassVar[list[int]] = []

    async def walk(self, number: int, path: list[list[str]]) -> int:
        """Return how many objects this and the following calls have come to."""
        Walker.begun.append(number)
        visits = await self.ctx.storage.get("visits", 0)
        self.ctx.storage.put("visits", visits + 1)
        if not path:
            return 1
        namespace = self.ctx.namespace("walker")
        calls = [
            namespace.get_by_name(name, deadline_seconds=_LONG).walk(number, path[1:])
            for name in path[0]
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        return 1 + sum(self._count(outcome) for outcome in outcomes)

    def _count(self, outcome: int | BaseException) -> int:
        if isinstance(outcome, CallDeadlock):
            Walker.refused.append(len(outcome.ring))
            return 0
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def _path(chance: random.Random) -> list[list[str]]:
    """Up to four steps, each to one or two objects."""
    return [
        chance.sample([f"o{number}" for number in range(_OBJECTS)], chance.choice((1, 1, 2)))
        for _ in range(chance.randint(0, 4))
    ]


async def _result(call: Awaitable[Any]) -> Any:
    return await call


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_ring_of_a_storm_is_broken_and_no_call_is_lost_or_made_twice(
    seed: int,
) -> None:
    Walker.begun, Walker.refused = [], []
    chance = random.Random(seed)
    database = MemoryDatabase()
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(Worker(database, {"walker": Walker})) for _ in range(3)
        ]
        for number in range(_OBJECTS):
            owner = workers[number % 3]
            await owner.registry.room(owner.object_id("walker", f"o{number}"))
        stubs = [worker.stubs.namespace("walker") for worker in workers]
        walks = []
        for number in range(_WALKS):
            name = f"o{chance.randrange(_OBJECTS)}"
            stub = chance.choice(stubs).get_by_name(name, deadline_seconds=_LONG)
            walks.append(_tasks.start(_result(stub.walk(number, _path(chance))), name="walk"))
        reached = sum(await asyncio.gather(*walks))
        visits = 0
        for number in range(_OBJECTS):
            owner = workers[number % 3]
            (row,) = database.objects[owner.object_id("walker", f"o{number}").uuid].rows.values()
            visits += int(row[1:])
    assert reached == len(Walker.begun) == visits
    assert Walker.refused, "there was no ring at all"
