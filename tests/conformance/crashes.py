"""A worker that dies in the middle of an event, and what the next one finds."""

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, Final

from app.core.errors import StateroomError
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, Step, begin, perform


class Crash(Enum):
    """When a worker dies, counted from the first commit of the event."""

    BEFORE = "before the commit"
    UNDER_WAY = "while the commit is under way"
    UNHEARD = "after the commit, before anybody heard of it"

    @property
    def applied(self) -> bool:
        """Whether the commit is in the database."""
        return self is Crash.UNHEARD


STAGES: Final = tuple(Crash)


async def after_a_crash(
    stage: Crash, *, before: Mapping[str, Any], step: Step, lab: type[Lab] = Lab
) -> dict[str, Any]:
    """Let the worker die while an object runs `step`; return what another one finds stored.

    Whatever the dead worker still sends is refused.
    """
    async with ObjectHarness({"lab": lab}) as first:
        await perform(first, lambda each: each.storage.put_many(before))
        first.committer.hold()
        event = begin(first, step)
        await first.settle()
        if stage is not Crash.BEFORE:
            first.committer.take()
        if stage.applied:
            first.committer.settle()
        first.database.workers[first.worker_id].dead = True
        second = ObjectHarness(
            {"lab": lab}, database=first.database, clock=first.clock, node="another"
        )
        async with second:
            found: dict[str, Any] = await perform(second, lambda each: each.storage.list())
            first.committer.release()
            await first.settle()
            assert second.contents("lab", "a") == found
        with suppress(StateroomError):
            await event
    return found
