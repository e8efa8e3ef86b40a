"""Events that overlap, and sections in which none do (C, D)."""

import asyncio
from typing import Any

from tests.interop.compared.about_events import POLL_SECONDS, later
from tests.interop.compared.cases import case
from tests.interop.compared.sides import Side


@case(33, waits=True)
async def another_event_runs_while_one_waits_for_something_else(side: Side) -> Any:
    async with asyncio.TaskGroup() as tasks:
        first = [["mark", "one"], ["wait"], ["mark", "one ends"]]
        tasks.create_task(side.run("s33", *first, ns="interleaved"))
        while await side.run("s33", ["words"], ns="interleaved") != [["one"]]:
            await later(POLL_SECONDS)
        await side.run("s33", ["mark", "two"], ["go_on"], ns="interleaved")
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


@case(42)
async def storage_and_calls_complete_in_a_blocking_section(side: Side) -> Any:
    called = ["call", "other", "s42", [["mark", "called"], ["words"]]]
    return await side.run("s42", ["block", [["put", "a", 1], ["get", "a"], called], "value"])


@case(50)
async def blocking_sections_nest(side: Side) -> Any:
    inner = ["block", [["mark", "inner"]], "value"]
    return await side.run(
        "s50", ["block", [["mark", "a"], inner, ["mark", "b"]], "value"], ["words"]
    )
