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
