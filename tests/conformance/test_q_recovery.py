"""Recovery to a point in time (Q, 248 to 252): it is the database's business, for all at once."""

from collections.abc import AsyncIterator

import pytest

from app.sdk import Context, Namespace
from app.testing.harness import ObjectHarness
from tests.conformance.jotter import Jotter
from tests.conformance.verdicts import not_offered


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"jotter": Jotter}) as made:
        yield made


async def offers(harness: ObjectHarness, name: str) -> bool:
    """Whether an object's context or storage has something of that name."""

    def look(_instance: Jotter, ctx: Context) -> bool:
        return hasattr(ctx, name) or hasattr(ctx.storage, name)

    return await harness.run_in_room(harness.object_id("jotter", "a"), look)


@not_offered("no history is kept of one object; Postgres keeps that of all (WAL archiving)")
async def test_248_bookmarks_are_in_order(harness: ObjectHarness) -> None:
    """A later bookmark is the greater string."""
    assert not await offers(harness, "get_current_bookmark")


@not_offered("an object cannot be set back; a restart finds the last commit, never an earlier one")
async def test_249_a_restore_takes_effect_at_the_next_start(harness: ObjectHarness) -> None:
    """A restore takes effect at the next start, and gives exactly the state of its bookmark."""
    assert not await offers(harness, "on_next_session_restore_bookmark")
    stub = harness.stub("jotter", "a")
    for value in (1, 2):
        await stub.keep("key", value)
    await harness.abort_all()

    async def look(_instance: Jotter, ctx: Context) -> object:
        return await ctx.storage.get("key")

    assert await harness.run_in_room(harness.object_id("jotter", "a"), look) == 2


@not_offered("there is no restore to be undone")
async def test_250_a_restore_can_be_undone(harness: ObjectHarness) -> None:
    """The bookmark that a restore returns leads back to the state before it."""
    assert not await offers(harness, "restore")


@not_offered("there are no bookmarks for instants")
async def test_251_a_time_beyond_the_retention_is_refused(harness: ObjectHarness) -> None:
    """A time that is older than what is kept is refused."""
    assert not await offers(harness, "get_bookmark_for_time")


@not_offered("an object cannot be copied into another; its own code can hand its contents over")
def test_252_a_snapshot_becomes_another_object() -> None:
    """A snapshot restored into another object is independent of the first, without its alarms."""
    assert not [name for name in ("snapshot", "restore", "clone") if hasattr(Namespace, name)]
