"""Listing rows in the order of their keys (H)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.tasks import TaskOwner
from app.testing.driving import Harness
from app.testing.pytest_plugin import HarnessMaker
from tests.conformance.verdicts import differs
from tests.unit.room.lab import LABS, Lab, perform
from tests.unit.room.listing import FILLER, MIXED, fill, listed, overflow
from tests.unit.room.slow_store import SlowStore

_tasks = TaskOwner("test")


@pytest.fixture(params=LABS)
async def harness(
    object_harness: HarnessMaker, request: pytest.FixtureRequest
) -> AsyncIterator[Harness]:
    async with object_harness({"lab": request.param}) as made:
        yield made


@pytest.fixture(params=["in memory", "from the database"])
async def mixed(harness: Harness, request: pytest.FixtureRequest) -> Harness:
    """An object with a few keys, remembered or not."""
    await fill(harness, MIXED)
    if request.param == "from the database":
        await overflow(harness)
    return harness


async def test_092_keys_come_in_the_order_of_their_bytes(mixed: Harness) -> None:
    """A list gives all pairs in the order of the UTF-8 bytes of their keys."""
    assert await perform(mixed, listed()) == MIXED


async def test_093_start_is_inclusive_and_end_exclusive(mixed: Harness) -> None:
    """start is inclusive, end is exclusive."""
    assert await perform(mixed, listed(start="ab", end="b")) == ["ab", "abc"]
    assert await perform(mixed, listed(start="aa", end="c")) == ["ab", "abc", "b"]
    assert await perform(mixed, listed(end="b")) == ["a", "ab", "abc"]
    assert await perform(mixed, listed(start="ab")) == MIXED[1:]


async def test_094_start_after_is_exclusive(mixed: Harness) -> None:
    """start_after is exclusive."""
    assert await perform(mixed, listed(start_after="ab")) == MIXED[2:]
    assert await perform(mixed, listed(start_after="aa")) == MIXED[1:]


async def test_095_start_and_start_after_exclude_one_another(harness: Harness) -> None:
    """start together with start_after raises TypeError."""

    async def step(lab: Lab) -> None:
        with pytest.raises(TypeError):
            await lab.storage.list(start="a", start_after="b")

    await perform(harness, step)


async def test_096_a_prefix_gives_exactly_its_keys(mixed: Harness) -> None:
    """prefix gives exactly the keys with that prefix, those that are equal to it included."""
    assert await perform(mixed, listed(prefix="ab")) == ["ab", "abc"]
    assert await perform(mixed, listed(prefix="b")) == ["b"]
    assert await perform(mixed, listed(prefix="c")) == []
    assert await perform(mixed, listed(prefix="")) == MIXED


async def test_097_a_prefix_and_bounds_are_intersected(mixed: Harness) -> None:
    """prefix is intersected with start and end; what is empty gives nothing."""
    assert await perform(mixed, listed(prefix="ab", start_after="ab")) == ["abc"]
    assert await perform(mixed, listed(prefix="a", end="abc")) == ["a", "ab"]
    assert await perform(mixed, listed(prefix="b", start="a", end="z")) == ["b"]
    assert await perform(mixed, listed(prefix="b", end="a")) == []


@pytest.mark.parametrize("prefix", ["\U0010ffff", "\x7f", "\u07ff", "\uffff", "é"])
async def test_098_a_prefix_that_ends_in_a_high_byte_is_bounded(
    harness: Harness, prefix: str
) -> None:
    """A prefix that ends in the highest byte is bounded rightly."""
    keys = {prefix, f"{prefix}\0", f"{prefix}a", f"{prefix}\U0010ffff"}
    others = {chr(ord(prefix) - 1), "", "a", *([chr(ord(prefix) + 1)] if prefix == "é" else [])}
    await fill(harness, [*keys, *others])

    async def step(lab: Lab) -> list[str]:
        return list(await lab.storage.list(prefix=prefix))

    assert await perform(harness, step) == sorted(keys, key=str.encode)


async def test_099_reverse_turns_the_order_only(mixed: Harness) -> None:
    """reverse turns the order only; start and end keep their meaning."""
    assert await perform(mixed, listed(end="b", reverse=True)) == ["abc", "ab", "a"]
    assert await perform(mixed, listed(start="ab", end="c", reverse=True)) == ["b", "abc", "ab"]


async def test_100_reverse_with_a_limit_gives_the_highest_keys(mixed: Harness) -> None:
    """reverse with a limit gives the highest keys."""
    assert await perform(mixed, listed(end=FILLER, reverse=True, limit=2)) == ["😀", "漢"]
    assert await perform(mixed, listed(end="b", reverse=True, limit=2)) == ["abc", "ab"]


@pytest.mark.parametrize("limit", [0, -1])
async def test_101_a_limit_below_one_raises(harness: Harness, limit: int) -> None:
    """A limit of 0 or below raises TypeError."""

    async def step(lab: Lab) -> None:
        with pytest.raises(TypeError):
            await lab.storage.list(limit=limit)

    await perform(harness, step)


async def test_102_the_limit_counts_after_unfinished_writes_are_merged(
    mixed: Harness,
) -> None:
    """The limit counts after unfinished puts and deletes are merged in."""

    async def step(lab: Lab) -> Any:
        lab.storage.delete_many(["a", "ab"])
        lab.storage.put("aba", "new")
        low = list(await lab.storage.list(limit=3))
        lab.storage.delete("😀")
        high = list(await lab.storage.list(end=FILLER, limit=1, reverse=True))
        return low, high, list(await lab.storage.list(end="b", limit=9))

    assert await perform(mixed, step) == (["aba", "abc", "b"], ["漢"], ["aba", "abc"])


async def test_103_a_put_beyond_the_limit_does_not_appear(mixed: Harness) -> None:
    """A put beyond the limit, before or during the list, does not appear."""

    async def step(lab: Lab) -> Any:
        lab.storage.put("ac", "new")
        listing = _tasks.start(lab.storage.list(limit=3, allow_concurrency=True), name="list")
        await mixed.settle()
        lab.storage.put("b0", "new")
        return list(await listing)

    assert await perform(mixed, step) == ["a", "ab", "abc"]


async def test_104_lists_stay_right_when_an_endpoint_is_deleted_or_written_anew(
    mixed: Harness,
) -> None:
    """Lists stay right when a key at an end of the range is deleted or overwritten between them."""

    async def step(lab: Lab) -> Any:
        seen = [list(await lab.storage.list(start="a", end="b"))]
        lab.storage.delete("a")
        seen.append(list(await lab.storage.list(start="a", end="b")))
        lab.storage.put("a", "again")
        lab.storage.put("b", "again")
        seen.append(list(await lab.storage.list(start="a", end="b")))
        return seen

    assert await perform(mixed, step) == [["a", "ab", "abc"], ["ab", "abc"], ["a", "ab", "abc"]]


@pytest.mark.parametrize("committed", [False, True])
async def test_105_what_is_written_after_the_list_was_asked_for_does_not_appear(
    harness: Harness, *, committed: bool
) -> None:
    """What is written after a list was asked for does not appear in it, even if committed."""
    slow = SlowStore(harness.store)

    async def step(lab: Lab) -> Any:
        lab.storage.put("b", "before")
        listing = _tasks.start(lab.storage.list(end="c", allow_concurrency=True), name="list")
        await slow.asked(1)
        lab.storage.put("aa", "late")
        lab.storage.put("b", "late")
        lab.storage.delete("a")
        syncing = _tasks.start(lab.storage.sync(), name="sync") if committed else None
        await harness.settle()
        slow.answer()
        first = await listing
        if syncing is not None:
            await syncing
        return first, await lab.storage.list(end="c")

    await fill(harness, MIXED)
    await overflow(harness)
    with slow.used():
        first, second = await perform(harness, step)
    assert first == {"a": "old", "ab": "old", "abc": "old", "b": "before"}
    assert second == {"aa": "late", "ab": "old", "abc": "old", "b": "late"}


async def test_106_a_start_that_is_not_before_the_end_gives_nothing(mixed: Harness) -> None:
    """A start that is not before the end gives nothing."""
    assert await perform(mixed, listed(start="b", end="b")) == []
    assert await perform(mixed, listed(start="c", end="b")) == []
    assert await perform(mixed, listed(start_after="b", end="b", reverse=True)) == []


@differs(
    "there is no synchronous iterator; a list is a dict of its own, and streams do not disturb one "
    "another"
)
async def test_107_two_streams_do_not_disturb_one_another(mixed: Harness) -> None:
    """A second list invalidates the iterator of the first."""

    async def step(lab: Lab) -> Any:
        found: list[str] = []
        async for key, _ in lab.storage.stream(prefix="a"):
            found.append(key)
            found.extend([inner async for inner, _ in lab.storage.stream(prefix="b")])
        return found, [key for key, _ in (await lab.storage.list(prefix="b")).items()]

    assert await perform(mixed, step) == (["a", "b", "ab", "b", "abc", "b"], ["b"])
