"""Recovery to a point in time (Q, 248 to 252): from outside of the object, by operators."""

from collections.abc import AsyncIterator

import pytest

from app.cluster.restoring import Restoring
from app.core.errors import BookmarkExpired
from app.core.history import HistoryRule
from app.sdk import Context, Namespace
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase, MemoryHistoryPruner, MemoryObjectHistory
from tests.conformance.jotter import Jotter
from tests.conformance.verdicts import differs, not_offered

KEPT = HistoryRule(seconds=3_600, size_bytes=1 << 30)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    clock = FakeClock()
    database = MemoryDatabase(clock, history=KEPT)
    async with ObjectHarness({"jotter": Jotter}, database=database, clock=clock) as made:
        yield made


async def offers(harness: ObjectHarness, name: str) -> bool:
    """Whether an object's context or storage has something of that name."""

    def look(_instance: Jotter, ctx: Context) -> bool:
        return hasattr(ctx, name) or hasattr(ctx.storage, name)

    return await harness.run_in_room(harness.object_id("jotter", "a"), look)


class Recovered:
    """An object whose states are asked for and restored from outside of it."""

    def __init__(self, harness: ObjectHarness) -> None:
        self.harness = harness
        self.object_id = harness.object_id("jotter", "a")
        self.history = MemoryObjectHistory(harness.database)
        self.restoring = Restoring(harness.steering, harness.registry.namespaces)

    async def keep(self, value: int) -> str:
        """Keep a value; returns the bookmark of the state with it."""
        await self.harness.stub("jotter", "a").keep("key", value)
        stand = await self.history.stand(self.object_id)
        assert stand is not None
        return stand.bookmark(stand.commit_seq)

    async def kept(self) -> object:
        async def look(_instance: Jotter, ctx: Context) -> object:
            return await ctx.storage.get("key")

        return await self.harness.run_in_room(self.object_id, look)


@differs("bookmarks are asked for in the admin API, not by the object itself")
async def test_248_bookmarks_are_in_order(harness: ObjectHarness) -> None:
    """A later bookmark is the greater string."""
    recovered = Recovered(harness)
    bookmarks = [await recovered.keep(number) for number in range(20)]
    assert bookmarks == sorted(set(bookmarks))
    assert not await offers(harness, "get_current_bookmark")


@differs("it takes effect at once, as an event of the object, and its sockets stay")
async def test_249_a_restore_takes_effect_at_the_next_start(harness: ObjectHarness) -> None:
    """A restore takes effect at the next start, and gives exactly the state of its bookmark."""
    recovered = Recovered(harness)
    bookmarks = [await recovered.keep(number) for number in range(5)]
    await recovered.restoring.restore(recovered.object_id, bookmark=bookmarks[2])
    assert await recovered.kept() == 2
    assert not await offers(harness, "on_next_session_restore_bookmark")


async def test_250_a_restore_can_be_undone(harness: ObjectHarness) -> None:
    """The bookmark that a restore returns leads back to the state before it."""
    recovered = Recovered(harness)
    first = await recovered.keep(1)
    await recovered.keep(2)
    done = await recovered.restoring.restore(recovered.object_id, bookmark=first)
    assert await recovered.kept() == 1
    await recovered.restoring.restore(recovered.object_id, bookmark=done.undo)
    assert await recovered.kept() == 2


async def test_251_a_time_beyond_the_retention_is_refused(harness: ObjectHarness) -> None:
    """A time that is older than what is kept is refused."""
    recovered = Recovered(harness)
    await recovered.keep(1)
    await harness.advance(2 * KEPT.seconds)
    await recovered.keep(2)
    await MemoryHistoryPruner(harness.database, KEPT).prune()
    long_ago = harness.database.now_ms() - int(2 * KEPT.seconds * 1000)
    with pytest.raises(BookmarkExpired):
        await recovered.restoring.restore(recovered.object_id, at_ms=long_ago - 1)
    assert await recovered.kept() == 2


@not_offered("objects have no snapshots to hand on; operators fork one, at a bookmark too")
def test_252_a_snapshot_becomes_another_object() -> None:
    """A snapshot restored into another object is independent of the first, without its alarms."""
    assert not [name for name in ("snapshot", "restore", "clone") if hasattr(Namespace, name)]
