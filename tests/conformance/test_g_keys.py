"""Reading, writing and deleting single keys and several (G)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.errors import Overloaded, StorageRefused
from app.core.limits import KEY_BYTES, VALUE_BYTES
from app.core.tasks import TaskOwner
from app.room.limits import RoomLimits
from app.testing.driving import Harness
from app.testing.harness import ObjectHarness
from app.testing.pytest_plugin import HarnessMaker
from tests.conformance.verdicts import differs
from tests.unit.room.lab import LABS, Lab, begin, forget, perform
from tests.unit.room.slow_store import SlowStore

_tasks = TaskOwner("test")


@pytest.fixture(params=LABS)
async def harness(
    object_harness: HarnessMaker, request: pytest.FixtureRequest
) -> AsyncIterator[Harness]:
    async with object_harness({"lab": request.param}) as made:
        yield made


async def test_075_a_missing_key_is_none_or_the_default(harness: Harness) -> None:
    """A get of a missing key gives None, or the default that was asked for."""

    async def step(lab: Lab) -> tuple[Any, Any]:
        return await lab.storage.get("missing"), await lab.storage.get("missing", 7)

    assert await perform(harness, step) == (None, 7)


async def test_076_get_of_many_gives_those_present_in_byte_order(harness: Harness) -> None:
    """A get of many keys gives those that exist, in the order of their UTF-8 bytes."""

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
async def test_077_128_keys_are_accepted_and_129_refused(harness: Harness, call: str) -> None:
    """128 keys in one call are accepted, 129 are refused: for get, put and delete."""

    async def use(lab: Lab, count: int) -> None:
        keys = {f"key-{number}": number for number in range(count)}
        await getattr(lab.storage, call)(keys)

    await perform(harness, lambda lab: use(lab, 128))
    with pytest.raises(StorageRefused, match="129 keys"):
        await perform(harness, lambda lab: use(lab, 129))


async def test_078_a_get_sees_the_put_before_it(harness: Harness) -> None:
    """A get in the same event gives what was put before it."""

    async def step(lab: Lab) -> Any:
        lab.storage.put("key", "new")
        return await lab.storage.get("key")

    assert await perform(harness, step) == "new"


async def test_079_what_is_changed_after_the_put_is_not_stored(harness: Harness) -> None:
    """A dict that is changed after it was put is unchanged in storage."""

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
async def test_080_a_value_comes_back_as_it_was_also_from_the_database(
    harness: Harness, value: Any
) -> None:
    """Values of all types come back as they were; None is a value, and not the lack of one."""

    async def write(lab: Lab) -> None:
        lab.storage.put("key", value)

    async def read(lab: Lab) -> Any:
        return await lab.storage.get("key", "missing")

    await perform(harness, write)
    await forget(harness)
    found = await perform(harness, read)
    assert (found, type(found)) == (value, type(value))


@differs(
    "Python has no undefined: a put without a value is a call with an argument missing, and None "
    "is a value like others"
)
async def test_081_a_put_without_a_value_raises(harness: Harness) -> None:
    """A put of undefined raises; in a put of many, undefined entries are skipped."""

    async def step(lab: Lab) -> Any:
        with pytest.raises(TypeError):
            lab.storage.put("key")  # type: ignore[call-arg]  # the point
        lab.storage.put_many({"none": None, "one": 1})
        return await lab.storage.list()

    assert await perform(harness, step) == {"none": None, "one": 1}


@differs(
    "several keys have calls of their own, get_many, put_many and delete_many, and options are "
    "keyword arguments"
)
async def test_082_several_entries_are_put_by_a_call_of_its_own(harness: Harness) -> None:
    """put takes a key, a value and options, or a dict of entries and options; else TypeError."""

    async def step(lab: Lab) -> Any:
        lab.storage.put("a", 1, no_cache=True)
        lab.storage.put_many({"b": 2}, no_cache=True)
        for wrong in ({"c": 3}, 7, None, ["c"]):
            with pytest.raises(TypeError):
                lab.storage.put(wrong, "value")  # type: ignore[arg-type]  # the point
        with pytest.raises(TypeError):
            lab.storage.put("c", 3, {"no_cache": True})  # type: ignore[call-arg,arg-type]  # the point
        with pytest.raises(TypeError, match="several keys"):
            lab.storage.delete_many("ab")
        return await lab.storage.get_many(["a", "b", "c"])

    assert await perform(harness, step) == {"a": 1, "b": 2}


async def test_083_delete_tells_whether_the_key_existed(harness: Harness) -> None:
    """Delete tells whether the key existed; of many keys, how many did."""

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


async def test_084_a_key_that_was_just_put_existed(harness: Harness) -> None:
    """Delete of a key that was just put gives True."""

    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 1)
        return await lab.storage.delete("key")

    assert await perform(harness, step) is True


async def test_085_one_refused_entry_stores_none_of_a_put_of_many(harness: Harness) -> None:
    """A put of many is all or nothing: one entry that is too large stores none."""

    async def step(lab: Lab) -> Any:
        with pytest.raises(StorageRefused):
            lab.storage.put_many({"a": 1, "b": bytes(VALUE_BYTES)})
        with pytest.raises(StorageRefused):
            lab.storage.put_many({"a": 1, "b": object()})
        return await lab.storage.list()

    assert await perform(harness, step) == {}


async def test_086_the_exact_limits_pass_and_one_more_is_refused(harness: Harness) -> None:
    """A key over 2,048 bytes or a stored value over 2,000,000 bytes is refused; those pass."""

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


async def _is_a_key(harness: Harness, key: str) -> None:
    async def write(lab: Lab) -> None:
        lab.storage.put(key, "value")

    async def read(lab: Lab) -> list[Any]:
        listed = await lab.storage.list()
        return [await lab.storage.get(key), listed, await lab.storage.list(prefix=key)]

    await perform(harness, write)
    await forget(harness)
    assert await perform(harness, read) == ["value", {key: "value"}, {key: "value"}]


@pytest.mark.parametrize("key", ["a\0b", "😀", "漢字 mixed é", "\0"])
async def test_087_any_text_is_a_key(harness: Harness, key: str) -> None:
    """Keys with NUL, emoji and mixed scripts come back as they were."""
    await _is_a_key(harness, key)


async def test_088_the_empty_text_is_a_key(harness: Harness) -> None:
    """The empty text is a key like any other."""
    await _is_a_key(harness, "")


@pytest.mark.parametrize("no_cache", [False, True])
async def test_089_no_cache_changes_no_result(harness: Harness, no_cache: bool) -> None:
    """no_cache never changes a result."""

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


@pytest.mark.parametrize("committed", [False, True])
async def test_090_a_get_gives_the_value_as_of_the_call(
    harness: Harness, *, committed: bool
) -> None:
    """A get gives the value as of the call, even if a put is committed before its end."""
    slow = SlowStore(harness.store)

    async def step(lab: Lab) -> Any:
        reading = _tasks.start(lab.storage.get("key", allow_concurrency=True), name="get")
        many = _tasks.start(
            lab.storage.get_many(["key", "none"], allow_concurrency=True), name="get"
        )
        await slow.asked(2)
        lab.storage.put("key", "new")
        lab.storage.put("none", "new")
        syncing = _tasks.start(lab.storage.sync(), name="sync") if committed else None
        await harness.settle()
        slow.answer()
        found = [await reading, await many]
        if syncing is not None:
            await syncing
        return found

    await perform(harness, lambda lab: lab.storage.put("key", "old"))
    await slow.overflow(harness)
    with slow.used():
        assert await perform(harness, step) == ["old", {"key": "old"}]
    assert harness.contents("lab", "a")["key"] == "new"


async def test_a_get_that_is_awaited_later_gives_the_value_as_of_the_call(
    harness: Harness,
) -> None:
    async def step(lab: Lab) -> Any:
        reading, listing = lab.storage.get("key"), lab.storage.list()
        missing = lab.storage.get("new")
        lab.storage.put_many({"key": "new", "new": 1})
        return await asyncio.gather(reading, listing, missing)

    await perform(harness, lambda lab: lab.storage.put("key", "old"))
    assert await perform(harness, step) == ["old", {"key": "old"}, None]


async def test_a_delete_that_is_awaited_after_its_commit_still_tells_what_was() -> None:
    async with ObjectHarness({"lab": Lab}) as harness:
        await _tells_what_was(harness)


async def _tells_what_was(harness: Harness) -> None:
    slow = SlowStore(harness.store)

    async def step(lab: Lab) -> Any:
        telling = _tasks.start(_awaited(lab.storage.delete("key")), name="delete")
        await slow.asked(1)
        syncing = _tasks.start(lab.storage.sync(), name="sync")
        await harness.settle()
        slow.answer()
        await syncing
        return await telling

    await perform(harness, lambda lab: lab.storage.put("key", "old"))
    await slow.overflow(harness)
    with slow.used():
        assert await perform(harness, step) is True
    assert "key" not in harness.contents("lab", "a")


async def _awaited(work: Any) -> Any:
    return await work


async def test_091_writing_without_end_fails_cleanly_or_waits() -> None:
    """A million puts that nobody awaits are held back or end the event cleanly; nothing is torn."""

    def too_much(lab: Lab) -> None:
        for number in range(1_000_000):
            lab.storage.put(f"key-{number}", number)

    def unheld(lab: Lab) -> None:
        lab.storage.put_many({str(number): bytes(100) for number in range(100)})

    async def read(lab: Lab) -> Any:
        return len(await lab.storage.list())

    limits = RoomLimits(unit_bytes=50_000, buffer_bytes=50_000)
    async with ObjectHarness({"lab": Lab}, limits=limits) as harness:
        with pytest.raises(Overloaded, match="limit is 50000"):
            await perform(harness, too_much)
        assert await perform(harness, read) == 0
        harness.committer.hold()
        events = [begin(harness, unheld) for _ in range(50)]
        await harness.settle()
        room = await harness.room("lab", "a")
        assert room.lane.buffer.unconfirmed_bytes < 2 * limits.buffer_bytes
        harness.committer.release()
        await asyncio.gather(*events)
        assert await perform(harness, read) == 100
