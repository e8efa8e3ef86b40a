"""Objects with rows to be listed, some of them too large to be loaded at a start."""

from typing import Any

from app.core.limits import PRELOAD_ROWS
from app.testing.driving import Harness
from tests.unit.room.lab import Lab, Step, forget, perform

MIXED = ["a", "ab", "abc", "b", "é", "漢", "😀"]
FILLER = "\U0010ffff"
"""The beginning of keys that only make the object large; they come after all others."""


async def fill(harness: Harness, keys: list[str]) -> None:
    """Store the keys."""
    for first in range(0, len(keys), 128):
        part = keys[first : first + 128]

        def step(lab: Lab, part: list[str] = part) -> None:
            lab.storage.put_many(dict.fromkeys(part, "old"))

        await perform(harness, step)


async def overflow(harness: Harness) -> None:
    """Make the object larger than what is loaded at a start, and let it start again."""
    await fill(harness, [f"{FILLER}{number:04}" for number in range(PRELOAD_ROWS)])
    await forget(harness)


def listed(**options: Any) -> Step:
    """An event that lists keys, those that only make the object large left out."""

    async def step(lab: Lab) -> list[str]:
        return [key for key in await lab.storage.list(**options) if not key.startswith(FILLER)]

    return step
