"""get, put and delete, beside what the conformance list says of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.errors import Overloaded, StorageRefused, TooManyWrites, UnitTooLarge
from app.core.limits import CACHE_BYTES
from app.core.mounts import Durability, Mount
from app.core.tasks import TaskOwner
from app.room.limits import RoomLimits
from app.sdk import ObjectFault, RoomAborted, Storage, Unsupported
from app.testing.driving import turn
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, forget, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def test_a_delete_that_is_not_awaited_is_done_all_the_same(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1)
        lab.storage.delete("key")
        return await lab.storage.get("key")

    assert await perform(harness, step) is None


async def test_a_key_with_half_a_surrogate_pair_is_refused(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        with pytest.raises(StorageRefused, match="surrogate"):
            lab.storage.put("\ud83d", 1)
        with pytest.raises(StorageRefused, match="surrogate"):
            await lab.storage.list(prefix="\ud83d")

    await perform(harness, step)


async def test_a_write_that_is_too_much_for_the_event_is_not_made() -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("a", bytes(60))
        with pytest.raises(Overloaded):
            lab.storage.put("b", bytes(60))
        with pytest.raises(Overloaded):
            lab.storage.put_many({"c": 1, "d": bytes(60)})
        return list(await lab.storage.list())

    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(unit_bytes=100)) as harness:
        assert await perform(harness, step) == ["a"]
        assert harness.stored("lab", "a").keys() == {b"a"}


async def test_many_transactions_of_one_event_share_its_bound() -> None:
    async def step(lab: Lab) -> None:
        for number in range(3):
            async with lab.storage.transaction():
                lab.storage.put(f"key-{number}", bytes(60))

    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(unit_bytes=150)) as harness:
        with pytest.raises(Overloaded):
            await perform(harness, step)


async def test_one_value_larger_than_the_cache_is_there_when_the_object_wakes(
    harness: ObjectHarness,
) -> None:
    large = bytes(CACHE_BYTES + 1)

    async def write(lab: Lab) -> None:
        lab.storage.put("large", large)

    async def read(lab: Lab) -> list[Any]:
        found = await lab.storage.get_many(["large"])
        return [await lab.storage.get("large"), found, await lab.storage.list()]

    await perform(harness, write)
    await forget(harness)
    assert await perform(harness, read) == [large, {"large": large}, {"large": large}]


async def test_without_durability_writes_are_refused_and_reads_find_nothing() -> None:
    async def step(lab: Lab) -> list[Any]:
        storage = lab.storage
        for write in (
            lambda: storage.put("a", 1),
            lambda: storage.put_many({"a": 1}),
            lambda: storage.delete("a"),
            lambda: storage.delete_many(["a"]),
            storage.delete_all,
        ):
            with pytest.raises(Unsupported, match="stores nothing"):
                write()
        receipt = await storage.sync()
        return [await storage.get("a"), await storage.list(), receipt.commit_seq]

    mount = Mount(namespace="lab", cls=Lab, durability=Durability.NONE)
    async with ObjectHarness({"lab": mount}) as harness:
        assert await perform(harness, step) == [None, {}, 0]


async def test_the_storage_of_a_dropped_instance_refuses_everything(
    harness: ObjectHarness,
) -> None:
    kept: list[Storage] = []

    async def step(lab: Lab) -> None:
        kept.append(lab.storage)
        raise RuntimeError("dropped")

    with pytest.raises(ObjectFault):
        await perform(harness, step)
    storage = kept[0]
    with pytest.raises(RoomAborted):
        storage.put("a", 1)
    with pytest.raises(RoomAborted):
        storage.delete_all()
    with pytest.raises(RoomAborted):
        await storage.get("a")
    with pytest.raises(RoomAborted):
        await storage.get_many(["a"])
    with pytest.raises(RoomAborted):
        await storage.list()
    with pytest.raises(RoomAborted):
        await storage.sync()
    with pytest.raises(RoomAborted):
        async with storage.transaction():
            pass
    with pytest.raises(RoomAborted):
        await anext(aiter(storage.stream()))


async def test_an_event_that_wrote_too_much_is_told_in_one_clear_line() -> None:
    def too_much(lab: Lab) -> None:
        for number in range(1_000):
            lab.storage.put(f"key-{number}", bytes(100))

    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(unit_bytes=10_000)) as harness:
        with capture_logs() as logs, pytest.raises(UnitTooLarge, match="the limit is 10000"):
            await perform(harness, too_much)
    (line,) = [log for log in logs if log["event"] == "object_fault"]
    assert (line["code"], "exc_info" in line) == ("unit_too_large", False)


async def test_code_that_never_waits_for_what_it_writes_is_stopped() -> None:
    """Behind the events: puts of a task of its own, one in each turn of the loop."""
    flood: list[asyncio.Task[None]] = []

    async def writes_on(lab: Lab) -> None:
        for number in range(1_000):
            lab.storage.put(f"key-{number}", bytes(1_000))
            await turn()

    def starts(lab: Lab) -> None:
        flood.append(_tasks.start(writes_on(lab), name="flood"))

    limits = RoomLimits(unit_bytes=50_000, buffer_bytes=50_000)
    async with ObjectHarness({"lab": Lab}, limits=limits) as harness:
        harness.committer.hold()
        await perform(harness, starts)
        with pytest.raises(TooManyWrites, match="bytes wait to be committed"):
            await flood[0]
        room = await harness.room("lab", "a")
        assert 50_000 < room.lane.buffer.unconfirmed_bytes <= 100_000
        harness.committer.release()
        await harness.settle()
        assert 50 <= len(harness.stored("lab", "a")) <= 100
