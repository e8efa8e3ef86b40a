"""list and stream over rows committed, in flight, pending, unsealed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.limits import PAGE_ROWS
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, Step, forget, perform
from tests.unit.room.listing import MIXED, fill, overflow


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


@pytest.fixture(params=["in memory", "from the database"])
async def mixed(harness: ObjectHarness, request: pytest.FixtureRequest) -> ObjectHarness:
    """An object with a few keys, remembered or not."""
    await fill(harness, MIXED)
    if request.param == "from the database":
        await overflow(harness)
    return harness


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
    await fill(harness, keys)
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
