"""get, put and delete: the conformance list, G, in the default mode."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.errors import Overloaded, StorageRefused
from app.core.limits import CACHE_BYTES, KEY_BYTES, VALUE_BYTES
from app.core.mounts import Durability, Mount
from app.core.tasks import TaskOwner
from app.room.limits import RoomLimits
from app.sdk import ObjectFault, RoomAborted, Storage, Unsupported
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, forget, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def test_75_a_missing_key_is_none_or_the_default(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> tuple[Any, Any]:
        return await lab.storage.get("missing"), await lab.storage.get("missing", 7)

    assert await perform(harness, step) == (None, 7)


async def test_76_get_of_many_gives_those_present_in_byte_order(harness: ObjectHarness) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put_many({"é": 1, "a": 2, "b": 3})

    async def read(lab: Lab) -> list[Any]:
        lab.storage.put("c", 4)
        lab.storage.delete("b")
        found = await lab.storage.get_many(["é", "c", "none", "b", "a", "a"])
        return list(found.items())

    await perform(harness, write)
    expected = [("a", 2), ("c", 4), ("é", 1)]
    assert await perform(harness, read) == expected
    await forget(harness)
    assert await perform(harness, read) == expected


@pytest.mark.parametrize("call", ["get_many", "put_many", "delete_many"])
async def test_77_128_keys_are_accepted_and_129_refused(harness: ObjectHarness, call: str) -> None:
    async def use(lab: Lab, count: int) -> None:
        keys = {f"key-{number}": number for number in range(count)}
        await getattr(lab.storage, call)(keys)

    await perform(harness, lambda lab: use(lab, 128))
    with pytest.raises(StorageRefused, match="129 keys"):
        await perform(harness, lambda lab: use(lab, 129))


async def test_78_a_get_sees_the_put_before_it(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", "new")
        return await lab.storage.get("key")

    assert await perform(harness, step) == "new"


async def test_79_what_is_changed_after_the_put_is_not_stored(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        value = {"list": [1]}
        lab.storage.put("key", value)
        value["list"].append(2)
        first = await lab.storage.get("key")
        first["list"].append(3)
        return await lab.storage.get("key")

    assert await perform(harness, step) == {"list": [1]}


@pytest.mark.parametrize(
    "value",
    [
        "text",
        -1,
        1 << 70,
        1.5,
        float("inf"),
        True,
        None,
        b"bytes",
        [1, [2]],
        {"a": {"b": None}},
        {1: "one"},
        (1, "two"),
        {1, 2},
        frozenset({3}),
        datetime(2024, 1, 1, 12, tzinfo=UTC),
        {"nested": [(1, {b"x"})]},
    ],
)
async def test_80_a_value_comes_back_as_it_was_also_from_the_database(
    harness: ObjectHarness, value: Any
) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put("key", value)

    async def read(lab: Lab) -> Any:
        return await lab.storage.get("key", "missing")

    await perform(harness, write)
    await forget(harness)
    found = await perform(harness, read)
    assert (found, type(found)) == (value, type(value))


async def test_82_keys_that_are_no_text_are_refused(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        lab.storage.put(7, "value")  # type: ignore[arg-type]  # the point

    with pytest.raises(ObjectFault, match="TypeError"):
        await perform(harness, step)


async def test_83_delete_tells_whether_the_key_existed(harness: ObjectHarness) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put_many({"a": 1, "b": 2})

    async def delete(lab: Lab) -> list[Any]:
        return [
            await lab.storage.delete("a"),
            await lab.storage.delete("a"),
            await lab.storage.delete("never"),
            await lab.storage.delete_many(["a", "b", "never"]),
        ]

    await perform(harness, write)
    await forget(harness)
    assert await perform(harness, delete) == [True, False, False, 1]
    assert harness.stored("lab", "a") == {}


async def test_84_a_key_that_was_just_put_existed(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1)
        return await lab.storage.delete("key")

    assert await perform(harness, step) is True


async def test_a_delete_that_is_not_awaited_is_done_all_the_same(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1)
        lab.storage.delete("key")
        return await lab.storage.get("key")

    assert await perform(harness, step) is None


async def test_85_one_refused_entry_stores_none_of_a_put_of_many(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        with pytest.raises(StorageRefused):
            lab.storage.put_many({"a": 1, "b": bytes(VALUE_BYTES)})
        with pytest.raises(StorageRefused):
            lab.storage.put_many({"a": 1, "b": object()})
        return await lab.storage.list()

    assert await perform(harness, step) == {}


async def test_86_the_exact_limits_pass_and_one_more_is_refused(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        form = 1
        lab.storage.put("k" * KEY_BYTES, "x")
        lab.storage.put("v", bytes(VALUE_BYTES - form))
        with pytest.raises(StorageRefused, match="a key has 2049 bytes"):
            lab.storage.put("k" * (KEY_BYTES + 1), "x")
        with pytest.raises(StorageRefused, match="a key has 2049 bytes"):
            await lab.storage.get("é" * (KEY_BYTES // 2) + "x")
        with pytest.raises(StorageRefused, match="2000001 bytes"):
            lab.storage.put("v", bytes(VALUE_BYTES))

    await perform(harness, step)
    assert len(harness.stored("lab", "a")) == 2


@pytest.mark.parametrize("key", ["a\0b", "😀", "漢字 mixed é", ""])
async def test_87_88_any_text_is_a_key(harness: ObjectHarness, key: str) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put(key, "value")

    async def read(lab: Lab) -> list[Any]:
        listed = await lab.storage.list()
        return [await lab.storage.get(key), listed, await lab.storage.list(prefix=key)]

    await perform(harness, write)
    await forget(harness)
    assert await perform(harness, read) == ["value", {key: "value"}, {key: "value"}]


async def test_a_key_with_half_a_surrogate_pair_is_refused(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        with pytest.raises(StorageRefused, match="surrogate"):
            lab.storage.put("\ud83d", 1)
        with pytest.raises(StorageRefused, match="surrogate"):
            await lab.storage.list(prefix="\ud83d")

    await perform(harness, step)


@pytest.mark.parametrize("no_cache", [False, True])
async def test_89_no_cache_changes_no_result(harness: ObjectHarness, no_cache: bool) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put("key", "value", no_cache=no_cache)
        lab.storage.put_many({"more": 1}, no_cache=no_cache)

    async def read(lab: Lab) -> list[Any]:
        storage = lab.storage
        return [
            await storage.get("key", no_cache=no_cache),
            await storage.get("none", no_cache=no_cache),
            await storage.list(no_cache=no_cache),
            await storage.get("key"),
        ]

    expected = ["value", None, {"key": "value", "more": 1}, "value"]
    await perform(harness, write)
    assert await perform(harness, read) == expected
    await forget(harness)
    assert await perform(harness, read) == expected


async def test_90_a_get_gives_the_value_as_of_the_call(harness: ObjectHarness) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put("key", "old")

    async def step(lab: Lab) -> Any:
        reading = _tasks.start(lab.storage.get("key"), name="get")
        await harness.settle()
        lab.storage.put("key", "new")
        return await reading

    await perform(harness, write)
    await forget(harness)
    assert await perform(harness, step) == "old"


async def test_91_writing_more_than_an_event_may_fails_it_cleanly() -> None:
    async def too_much(lab: Lab) -> None:
        for number in range(1_000):
            lab.storage.put(f"key-{number}", bytes(100))

    async def read(lab: Lab) -> Any:
        return await lab.storage.list()

    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(unit_bytes=10_000)) as harness:
        with pytest.raises(Overloaded, match="limit is 10000"):
            await perform(harness, too_much)
        assert await perform(harness, read) == {}


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
