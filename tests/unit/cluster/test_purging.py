"""Deleted objects are purged in the background, whatever happens to the database meanwhile."""

from app.cluster.purging import STEP_ROWS, Purger
from app.core.clock import Clock
from app.core.ids import ObjectId, ObjectIds
from app.core.tasks import TaskOwner
from app.testing.clock import FakeClock
from app.testing.driving import turn
from app.testing.memory import MemoryDatabase, MemoryObjectStates, MemoryObjectStore

IDS = ObjectIds(b"k" * 32)


class Ground:
    """A database with deleted objects, and a purger on it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        clock: Clock = self.clock
        self.database = MemoryDatabase(clock)
        self.states = MemoryObjectStates(self.database)
        self.purger = Purger(self.states, clock)

    async def deleted(self, name: str, *, rows: int, grace_seconds: float) -> ObjectId:
        worker_id = self.database.add_worker()
        object_id = IDS.from_name("notes", name)
        claim = await MemoryObjectStore(self.database).claim(object_id, worker_id)
        found = self.database.objects[object_id.uuid]
        found.rows.update({b"%d" % number: b"" for number in range(rows)})
        await self.states.delete(claim, grace_seconds=grace_seconds)
        return object_id

    @property
    def left(self) -> set[str | None]:
        return {found.object_id.name for found in self.database.objects.values()}

    async def pass_time(self, seconds: float, step: float = 0.05) -> None:
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            for _ in range(5):
                await turn()


async def test_objects_go_when_their_time_has_come_also_after_an_absence() -> None:
    ground = Ground()
    await ground.deleted("soon", rows=3 * STEP_ROWS, grace_seconds=2.0)
    await ground.deleted("late", rows=1, grace_seconds=60.0)
    tasks = TaskOwner("test")
    tasks.start(ground.purger.run(), name="purging")
    try:
        await ground.pass_time(1.0)
        assert ground.left == {"soon", "late"}
        ground.database.away = True
        await ground.pass_time(10.0, step=1.0)
        assert ground.left == {"soon", "late"}
        ground.database.away = False
        await ground.pass_time(40.0, step=0.5)
        assert ground.left == {"late"}
        await ground.pass_time(40.0, step=0.5)
        assert ground.left == set()
    finally:
        await tasks.close()


async def test_what_is_not_due_is_not_purged_at_once() -> None:
    ground = Ground()
    object_id = await ground.deleted("kept", rows=1, grace_seconds=60.0)
    assert not await ground.purger.purge_now(object_id)
    assert ground.left == {"kept"}
