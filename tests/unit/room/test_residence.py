"""Where the instance lives: what is loaded, when, and what is kept."""

import pytest

from app.core.errors import ObjectFault
from app.core.limits import PRELOAD_ROWS
from app.sdk import Connection
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, forget, perform
from tests.unit.room.objects import Probe


async def test_a_small_object_needs_the_database_once() -> None:
    async def fill(lab: Lab) -> None:
        lab.storage.put_many({"a": 1, "b": 2})

    async def read(lab: Lab) -> object:
        harness.database.away = True
        found = [await lab.storage.get("a"), await lab.storage.list(), await lab.storage.get("x")]
        harness.database.away = False
        return found

    async with ObjectHarness({"lab": Lab}) as harness:
        await perform(harness, fill)
        await forget(harness)
        assert await perform(harness, read) == [1, {"a": 1, "b": 2}, None]


async def test_a_large_object_is_not_taken_for_what_was_loaded_of_it() -> None:
    async def fill(lab: Lab) -> None:
        lab.storage.put_many({f"{number:03}": number for number in range(PRELOAD_ROWS + 1)})

    async def read(lab: Lab) -> object:
        return await lab.storage.get(f"{PRELOAD_ROWS:03}"), len(await lab.storage.list())

    async with ObjectHarness({"lab": Lab}) as harness:
        await perform(harness, fill)
        await forget(harness)
        assert await perform(harness, read) == (PRELOAD_ROWS, PRELOAD_ROWS + 1)


async def test_after_a_fault_the_rows_are_still_in_memory(harness: ObjectHarness) -> None:
    def message(self: Probe, _connection: Connection, text: str) -> None:
        self.ctx.storage.put("key", text)
        if text == "fail":
            raise RuntimeError("as asked")

    async def start(self: Probe) -> None:
        found.append(await self.ctx.storage.get("key"))

    found: list[object] = []
    Probe.hooks = {"start": start, "message": message}
    alice = await harness.connect("probe", "a")
    bob = await harness.connect("probe", "a")
    bob.say("good")
    await harness.settle()
    alice.say("fail")
    harness.database.away = True
    bob.say("good")
    await harness.settle()
    harness.database.away = False
    assert found == [None, "good"]


async def test_timers_are_lost_with_the_instance(harness: ObjectHarness) -> None:
    ticks: list[str] = []

    def message(self: Probe, _connection: Connection, text: str) -> None:
        if text == "fail":
            raise RuntimeError("as asked")
        self.ctx.call_later(1.0, lambda: ticks.append(text))

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    alice.say("tick")
    alice.say("fail")
    await harness.advance(5.0)
    assert ticks == []


async def test_the_constructor_may_fail_like_on_start() -> None:
    class Broken(Lab):
        fails = True

        def __init__(self, ctx: object) -> None:
            if self.fails:
                raise RuntimeError("in the constructor")
            super().__init__(ctx)  # type: ignore[arg-type]  # it is a context

    async with ObjectHarness({"lab": Broken}) as harness:
        with pytest.raises(ObjectFault, match="in the constructor"):
            await harness.connect("lab", "a")
        Broken.fails = False
        assert (await harness.room("lab", "a")).awake
