"""list and stream: the conformance list, H, over rows committed, in flight, pending, unsealed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.limits import PAGE_ROWS, PRELOAD_ROWS
from app.core.tasks import TaskOwner
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, Step, forget, perform

_tasks = TaskOwner("test")
_MIXED = ["a", "ab", "abc", "b", "é", "漢", "😀"]
_FILLER = "\U0010ffff"
"""The beginning of keys that only make the object large; they come after all others."""


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


@pytest.fixture(params=["in memory", "from the database"])
async def mixed(harness: ObjectHarness, request: pytest.FixtureRequest) -> ObjectHarness:
    """An object with a few keys, remembered or not."""
    await _fill(harness, _MIXED)
    if request.param == "from the database":
        await _overflow(harness)
    return harness


async def _fill(harness: ObjectHarness, keys: list[str]) -> None:
    for first in range(0, len(keys), 128):
        part = keys[first : first + 128]

        def step(lab: Lab, part: list[str] = part) -> None:
            lab.storage.put_many(dict.fromkeys(part, "old"))

        await perform(harness, step)


async def _overflow(harness: ObjectHarness) -> None:
    """Make the object larger than what is loaded at a start, and let it start again."""
    await _fill(harness, [f"{_FILLER}{number:04}" for number in range(PRELOAD_ROWS)])
    await forget(harness)


def _list(**options: Any) -> Step:
    async def step(lab: Lab) -> list[str]:
        return [key for key in await lab.storage.list(**options) if not key.startswith(_FILLER)]

    return step


async def test_92_keys_come_in_the_order_of_their_bytes(mixed: ObjectHarness) -> None:
    assert await perform(mixed, _list()) == _MIXED


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"start": "ab"}, ["ab", "abc", "b", "é", "漢", "😀"]),
        ({"start": "aa", "end": "b"}, ["ab", "abc"]),
        ({"end": "b"}, ["a", "ab", "abc"]),
        ({"start_after": "ab"}, ["abc", "b", "é", "漢", "😀"]),
        ({"start_after": "aa"}, ["ab", "abc", "b", "é", "漢", "😀"]),
        ({"prefix": "ab"}, ["ab", "abc"]),
        ({"prefix": "ab", "start_after": "ab"}, ["abc"]),
        ({"prefix": "b", "start": "a", "end": "z"}, ["b"]),
        ({"prefix": "b", "end": "a"}, []),
        ({"prefix": "😀"}, ["😀"]),
        ({"prefix": "", "limit": 1}, ["a"]),
        ({"start": "b", "end": "b"}, []),
        ({"start": "c", "end": "b"}, []),
        ({"end": "b", "reverse": True}, ["abc", "ab", "a"]),
        ({"end": "b", "reverse": True, "limit": 2}, ["abc", "ab"]),
        ({"limit": 2}, ["a", "ab"]),
        ({"limit": 7}, _MIXED),
        ({"end": "c", "limit": 99}, ["a", "ab", "abc", "b"]),
    ],
)
async def test_93_to_100_and_106_bounds_prefix_order_and_limit(
    mixed: ObjectHarness, options: dict[str, Any], keys: list[str]
) -> None:
    assert await perform(mixed, _list(**options)) == keys


async def test_95_and_101_impossible_options_raise(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        with pytest.raises(TypeError):
            await lab.storage.list(start="a", start_after="b")
        for limit in (0, -1):
            with pytest.raises(TypeError):
                await lab.storage.list(limit=limit)

    await perform(harness, step)


async def test_102_the_limit_counts_after_unfinished_writes_are_merged(
    mixed: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.delete_many(["a", "ab"])
        lab.storage.put("aba", "new")
        low = list(await lab.storage.list(limit=3))
        lab.storage.delete("😀")
        high = list(await lab.storage.list(end=_FILLER, limit=1, reverse=True))
        return low, high, list(await lab.storage.list(end="b", limit=9))

    assert await perform(mixed, step) == (["aba", "abc", "b"], ["漢"], ["aba", "abc"])


async def test_103_a_write_beyond_the_limit_does_not_appear(mixed: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("ac", "new")
        return list(await lab.storage.list(limit=3))

    assert await perform(mixed, step) == ["a", "ab", "abc"]


async def test_104_lists_stay_right_when_an_endpoint_is_deleted_or_written_anew(
    mixed: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> Any:
        seen = [list(await lab.storage.list(start="a", end="b"))]
        lab.storage.delete("a")
        seen.append(list(await lab.storage.list(start="a", end="b")))
        lab.storage.put("a", "again")
        lab.storage.put("b", "again")
        seen.append(list(await lab.storage.list(start="a", end="b")))
        return seen

    assert await perform(mixed, step) == [["a", "ab", "abc"], ["ab", "abc"], ["a", "ab", "abc"]]


async def test_105_what_is_written_after_the_list_was_asked_for_does_not_appear(
    mixed: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> Any:
        listing = _tasks.start(lab.storage.list(end="c"), name="list")
        await mixed.settle()
        lab.storage.put("aa", "late")
        lab.storage.delete("a")
        return list(await listing), list(await lab.storage.list(end="c"))

    first, second = await perform(mixed, step)
    assert first == ["a", "ab", "abc", "b"]
    assert second == ["aa", "ab", "abc", "b"]


async def test_every_layer_of_what_is_not_committed_is_seen(mixed: ObjectHarness) -> None:
    def write(key: str) -> Step:
        return lambda lab: lab.storage.put(key, "new", allow_unconfirmed=True)

    async def read(lab: Lab) -> Any:
        lab.storage.put("f", "unit")
        async with lab.storage.transaction():
            lab.storage.put("g", "transaction")
            return list(await lab.storage.list(start="b", end="z"))

    mixed.committer.hold()
    await perform(mixed, write("d"))
    mixed.committer.take()
    await perform(mixed, write("e"))
    Lab.step = read
    mixed.committer.release()
    assert await perform(mixed, read) == ["b", "d", "e", "f", "g"]


async def test_a_stream_gives_everything_in_order_without_a_page_missing(
    harness: ObjectHarness,
) -> None:
    keys = [f"{number:05}" for number in range(PAGE_ROWS + 50)]
    await _fill(harness, keys)
    await forget(harness)

    async def step(lab: Lab) -> list[str]:
        lab.storage.put("00000+", "new")
        lab.storage.delete("00001")
        return [key async for key, _ in lab.storage.stream()]

    expected = ["00000", "00000+", *keys[2:]]
    assert await perform(harness, step) == expected


async def test_a_stream_of_a_prefix_gives_that_prefix(mixed: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        return [pair async for pair in lab.storage.stream(prefix="ab")]

    assert await perform(mixed, step) == [("ab", "old"), ("abc", "old")]


async def test_a_stream_that_is_left_early_leaves_nothing_behind(mixed: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        stream = lab.storage.stream()
        first = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        return first

    assert await perform(mixed, step) == ("a", "old")
