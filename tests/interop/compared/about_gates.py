"""Events that overlap, and sections in which none do (C, D)."""

import asyncio
from typing import Any

from tests.interop.compared.about_events import later
from tests.interop.compared.cases import case
from tests.interop.compared.sides import Side


@case(33)
async def another_event_runs_while_one_waits_for_something_else(side: Side) -> Any:
    slow = asyncio.gather(
        side.run("s33", ["mark", "one"], ["pause", 2000], ["mark", "one ends"], ns="interleaved")
    )
    await later(0.5)
    await side.run("s33", ["mark", "two"], ns="interleaved")
    await slow
    return await side.run("s33", ["words"], ns="interleaved")


@case(44)
async def a_blocking_section_gives_its_value(side: Side) -> Any:
    return await side.run("s44", ["block", [["put", "a", 1], ["get", "a"]], "value"])


@case(46)
async def a_blocking_section_that_raises_resets_the_object(side: Side) -> Any:
    await side.run("s46", ["put", "a", 1])
    return [
        await side.run("s46", ["mark", "lost"], ["words"]),
        await side.run("s46", ["block", [], "raise"]),
        await side.run("s46", ["words"], ["get", "a"], ["start_count"]),
    ]


@case(48)
async def a_blocking_section_that_catches_resets_nothing(side: Side) -> Any:
    return await side.run("s48", ["mark", "kept"], ["block_and_catch"], ["words"], ["start_count"])
