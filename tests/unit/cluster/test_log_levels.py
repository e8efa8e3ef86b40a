"""Every worker follows the stored log levels of namespaces, and keeps them while it cannot look."""

from collections.abc import Mapping

from app.cluster.log_levels import LOOK_SECONDS, LogLevels
from app.core.tasks import TaskOwner
from app.testing.clock import FakeClock
from app.testing.driving import turn
from app.testing.memory import MemoryDatabase
from app.testing.memory_namespace_settings import MemoryNamespaceSettings


async def look(clock: FakeClock) -> None:
    clock.advance(LOOK_SECONDS)
    for _ in range(10):
        await turn()


async def test_what_one_worker_sets_holds_there_at_once_and_elsewhere_at_the_next_look() -> None:
    clock, database = FakeClock(), MemoryDatabase()
    here: list[Mapping[str, str]] = []
    there: list[Mapping[str, str]] = []
    settings = MemoryNamespaceSettings(database)
    one = LogLevels(settings, clock, apply=here.append)
    two = LogLevels(settings, clock, apply=there.append)
    tasks = TaskOwner("test")
    tasks.start(two.run(), name="two")
    try:
        await look(clock)
        await one.set("notes", "debug")
        assert (here, there) == ([{"notes": "debug"}], [])
        await look(clock)
        assert there == [{"notes": "debug"}]
        await look(clock)
        assert len(there) == 1, "what has not changed is not applied again"
        database.away = True
        await look(clock)
        database.away = False
        await one.set("notes", None)
        await look(clock)
        assert there == [{"notes": "debug"}, {}]
    finally:
        await tasks.close()
