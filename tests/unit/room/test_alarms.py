"""Alarms as an author meets them: set, read, deleted, and part of the event's unit."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from app.core.errors import ObjectFault, RoomAborted, Unsupported
from app.core.mounts import Durability, Mount
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.sdk import DurableObject, Request
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, get_alarm, now
from tests.unit.room.lab import Lab, forget, perform

_tasks = TaskOwner("test")
_REQUEST = Request()


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    classes: dict[str, type[DurableObject] | Mount] = {
        "lab": Alarmed,
        "deaf": Lab,
        "fleeting": Mount(namespace="fleeting", cls=Alarmed, durability=Durability.NONE),
    }
    async with ObjectHarness(classes) as opened:
        yield opened


async def set_alarm(harness: ObjectHarness, when: datetime | int) -> None:
    await perform(harness, lambda lab: lab.storage.set_alarm(when))


async def test_a_datetime_is_taken_in_any_timezone(harness: ObjectHarness) -> None:
    when = datetime(2124, 2, 29, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    await set_alarm(harness, when)
    assert await get_alarm(harness) == int(when.timestamp() * 1000)
    await set_alarm(harness, datetime(2124, 2, 29, 12, 0, 0, 1, tzinfo=UTC))
    after = await get_alarm(harness)
    assert after is not None
    assert datetime.fromtimestamp(after / 1000, UTC).microsecond == 1000, "never before the time"


@pytest.mark.parametrize("when", [1.5, "1", None, True])
async def test_what_is_no_time_is_refused(harness: ObjectHarness, when: Any) -> None:
    with pytest.raises(ObjectFault, match="TypeError"):
        await set_alarm(harness, when)


async def test_a_naive_datetime_is_refused(harness: ObjectHarness) -> None:
    with pytest.raises(ObjectFault, match="naive"):
        await set_alarm(harness, datetime(2124, 1, 1))  # noqa: DTZ001 - that is the point


async def test_nothing_is_set_or_deleted_where_nothing_is_stored(harness: ObjectHarness) -> None:
    Lab.step = lambda lab: lab.storage.set_alarm(5)
    with pytest.raises(Unsupported):
        await harness.request("fleeting", "a", _REQUEST)
    Lab.step = lambda lab: lab.storage.delete_alarm()
    with pytest.raises(Unsupported):
        await harness.request("fleeting", "b", _REQUEST)
    Lab.step = lambda lab: lab.storage.get_alarm()
    await harness.request("fleeting", "c", _REQUEST)
    assert Lab.result is None


async def test_an_event_that_raises_has_set_and_deleted_nothing(harness: ObjectHarness) -> None:
    due = now(harness) + 1_000
    await set_alarm(harness, due)

    def fail(lab: Lab) -> None:
        lab.storage.delete_alarm()
        lab.storage.set_alarm(now(harness) + 90_000)
        raise ValueError("no")

    with pytest.raises(ObjectFault):
        await perform(harness, fail)
    assert await get_alarm(harness) == due
    await harness.advance(2)
    assert [run.scheduled_for for run in Alarmed.runs] == [due]


async def test_an_alarm_of_a_unit_that_was_never_committed_does_not_exist(
    harness: ObjectHarness,
) -> None:
    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(Exception, match="taken this object over"):
        await set_alarm(harness, now(harness) + 1_000)
    await harness.advance(3)
    assert Alarmed.runs == []
    assert await get_alarm(harness) is None


async def test_132_delete_all_deletes_the_alarm(harness: ObjectHarness) -> None:
    await set_alarm(harness, now(harness) + 1_000)
    await perform(harness, lambda lab: lab.storage.delete_all())
    assert await get_alarm(harness) is None
    assert harness.alarm("lab", "a") is None
    await harness.advance(3)
    assert Alarmed.runs == []


async def test_what_the_object_says_waits_for_its_alarm(harness: ObjectHarness) -> None:
    socket = await harness.connect("lab", "a")

    def step(lab: Lab) -> None:
        lab.storage.set_alarm(now(harness) + 60_000)
        lab.ctx.broadcast("set")

    harness.committer.hold()
    Lab.step = step
    asking = _tasks.start(harness.request("lab", "a", _REQUEST), name="request")
    await harness.settle()
    assert socket.take() == []
    assert not asking.done()
    harness.committer.commit_now()
    await harness.settle()
    assert socket.take() == ["set"]
    await asking


async def test_an_unconfirmed_alarm_is_read_whatever_lies_below(harness: ObjectHarness) -> None:
    due = now(harness) + 60_000
    await set_alarm(harness, due)
    await forget(harness)
    harness.committer.hold()
    Lab.step = lambda lab: lab.storage.set_alarm(due + 1)
    first = _tasks.start(harness.request("lab", "a", _REQUEST), name="request")
    await harness.settle()
    harness.committer.take()
    Lab.step = lambda lab: lab.storage.get_alarm()
    second = _tasks.start(harness.request("lab", "a", _REQUEST), name="request")
    await harness.settle()
    assert Lab.result == due + 1
    harness.committer.release()
    await first
    await second
    assert await get_alarm(harness) == due + 1


async def test_an_alarm_keeps_no_object_awake(harness: ObjectHarness) -> None:
    due = now(harness) + 3_600_000
    await set_alarm(harness, due)
    await harness.advance(120)
    assert harness.live_room("lab", "a") is None
    assert harness.alarm("lab", "a") == due


async def test_alarms_are_known_while_the_database_is_away(harness: ObjectHarness) -> None:
    due = now(harness) + 60_000
    await set_alarm(harness, due)
    await forget(harness)
    assert await get_alarm(harness) == due
    harness.database.away = True
    assert await get_alarm(harness) == due
    harness.database.away = False


async def test_the_storage_of_a_dropped_instance_sets_no_alarm(harness: ObjectHarness) -> None:
    kept: list[Lab] = []
    await perform(harness, kept.append)
    await forget(harness)
    with pytest.raises(RoomAborted):
        kept[0].storage.set_alarm(5)
    with pytest.raises(RoomAborted):
        kept[0].storage.delete_alarm()
    with pytest.raises(RoomAborted):
        await kept[0].storage.get_alarm()
