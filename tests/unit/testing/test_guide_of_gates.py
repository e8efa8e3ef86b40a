"""The guide to gates: its examples do what they are said to do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.sdk import DurableObject
from app.testing.harness import ObjectHarness

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "gates.md"


class Till(DurableObject):
    """Takes its time."""

    turn: ClassVar[asyncio.Event]

    async def pay(self) -> None:
        await self.turn.wait()


class Archive(DurableObject):
    """Keeps lines."""

    async def keep(self, line: str) -> None:
        self.ctx.storage.put("line", line)


def _examples() -> dict[str, Any]:
    blocks = [part.split("```")[0] for part in GUIDE.read_text("utf-8").split("```python\n")[2:]]
    names: dict[str, Any] = {}
    exec("\n\n".join(blocks), names)  # noqa: S102 - it is our own page
    return names


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Till.turn = asyncio.Event()
    names = _examples()
    classes = {
        "turnstile": names["Turnstile"],
        "shop": names["Shop"],
        "catalogue": names["Catalogue"],
        "diary": names["Diary"],
        "bank": Till,
        "archive": Archive,
    }
    async with ObjectHarness(classes) as made:
        yield made


async def _both(harness: ObjectHarness, method: str) -> list[Any]:
    stub = harness.stub("shop", "a")
    calls = asyncio.gather(getattr(stub, method)(), getattr(stub, method)())
    await harness.settle()
    Till.turn.set()
    return list(await calls)


async def test_nothing_comes_between_a_read_and_a_write(harness: ObjectHarness) -> None:
    stub = harness.stub("turnstile", "a")
    counts = await asyncio.gather(*(stub.count() for _ in range(20)))
    assert sorted(counts) == list(range(1, 21))


async def test_what_is_read_before_a_call_may_be_old_after_it(harness: ObjectHarness) -> None:
    assert await _both(harness, "sell_carelessly") == [True, True]


async def test_a_section_sells_once(harness: ObjectHarness) -> None:
    assert sorted(await _both(harness, "sell")) == [False, True]


async def test_the_constructor_loads_before_the_first_event(harness: ObjectHarness) -> None:
    assert await harness.stub("catalogue", "a").how_many() == 0


async def test_the_diary_answers_before_it_has_copied(harness: ObjectHarness) -> None:
    assert await harness.stub("diary", "a").note("hello") == "noted"
    await harness.settle()
    assert harness.contents("diary", "a") == {"copied": True, "line": "hello"}
    assert harness.contents("archive", "all") == {"line": "hello"}
