"""An object whose alarm runs what a test writes on the spot."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ClassVar

from app.core.values import Alarm, DueAlarm
from app.sdk import AlarmInfo
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, perform

OnRing = Callable[["Alarmed", AlarmInfo], Awaitable[Any] | Any]


class Alarmed(Lab):
    """Notes every run of its alarm, then does what the test says.

    Attributes:
        runs: What each run was told.
        on_ring: What a run does.
        starting: What `on_start` does.
    """

    runs: ClassVar[list[AlarmInfo]] = []
    on_ring: ClassVar[OnRing | None] = None
    starting: ClassVar[Callable[[], object] | None] = None

    @classmethod
    def reset(cls) -> None:
        cls.runs = []
        cls.on_ring = None
        cls.starting = None

    def on_start(self) -> None:
        if Alarmed.starting is not None:
            Alarmed.starting()

    async def on_alarm(self, info: AlarmInfo) -> None:
        Alarmed.runs.append(info)
        step = Alarmed.on_ring
        result = step(self, info) if step is not None else None
        if isinstance(result, Awaitable):
            await result


def now(harness: ObjectHarness) -> int:
    """The database's time."""
    return harness.database.now_ms()


async def set_alarm(harness: ObjectHarness, due_ms: int, name: str = "a") -> None:
    """Set the object's alarm in an event of its own."""
    await perform(harness, lambda lab: lab.storage.set_alarm(due_ms), name)


async def get_alarm(harness: ObjectHarness, name: str = "a") -> int | None:
    """Read the object's alarm in an event of its own."""
    found: int | None = await perform(harness, lambda lab: lab.storage.get_alarm(), name)
    return found


def row(harness: ObjectHarness, name: str = "a") -> Alarm | None:
    """The committed alarm."""
    found = harness.database.objects.get(harness.object_id("lab", name).uuid)
    stored = found.alarms.get("") if found is not None else None
    return stored.alarm if stored is not None else None


def rows(harness: ObjectHarness, name: str = "a") -> dict[str, Alarm]:
    """Every committed alarm of the object, by name."""
    found = harness.database.objects.get(harness.object_id("lab", name).uuid)
    alarms = found.alarms if found is not None else {}
    return {alarm_name: stored.alarm for alarm_name, stored in alarms.items()}


def change_by_hand(harness: ObjectHarness, name: str = "a", **changes: Any) -> None:
    """What somebody with a database client could do."""
    stored = harness.database.objects[harness.object_id("lab", name).uuid].alarms[""]
    stored.alarm = replace(stored.alarm, **changes)


def a_ring(harness: ObjectHarness, due_ms: int, name: str = "a") -> DueAlarm:
    """A ring of the first attempt at an alarm."""
    return DueAlarm(
        object_id=harness.object_id("lab", name), name="", due_ms=due_ms, attempt_ms=due_ms
    )


def fail(_self: Alarmed, _info: AlarmInfo) -> None:
    """A run that raises."""
    raise ValueError("the author's")
