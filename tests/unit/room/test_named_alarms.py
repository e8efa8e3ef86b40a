"""Any number of alarms: names, payloads, lists of them, and their bounds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.core.errors import Overloaded, RoomAborted, StorageRefused, TooManyAlarms, Unsupported
from app.core.ids import ObjectId
from app.core.limits import ALARM_NAME_BYTES, ALARM_PAYLOAD_BYTES, ALARMS
from app.core.mounts import Durability, Mount
from app.core.tasks import TaskOwner
from app.core.values import Alarm
from app.room.alarm_arguments import is_own
from app.room.expiry import EXPIRY_ALARM
from app.room.limits import RoomLimits
from app.sdk import AlarmEntry, AlarmInfo, Request
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, a_ring, now, rows
from tests.unit.room.lab import Lab, forget, perform

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    classes: dict[str, type[Any] | Mount] = {
        "lab": Alarmed,
        "fleeting": Mount(namespace="fleeting", cls=Alarmed, durability=Durability.NONE),
    }
    async with ObjectHarness(classes) as opened:
        yield opened


async def test_each_alarm_runs_at_its_time_with_its_payload(harness: ObjectHarness) -> None:
    start = now(harness)

    def step(lab: Lab) -> None:
        lab.storage.set_alarm(start + 3_000, name="c", payload={"who": ["me", b"\x00", None]})
        lab.storage.set_alarm(start + 1_000)
        lab.storage.set_alarm(start + 2_000, name="b", payload="text")

    await perform(harness, step)
    await harness.advance(4)
    assert Alarmed.runs == [
        AlarmInfo(scheduled_for=start + 1_000),
        AlarmInfo(scheduled_for=start + 2_000, name="b", payload="text"),
        AlarmInfo(scheduled_for=start + 3_000, name="c", payload={"who": ["me", b"\x00", None]}),
    ]
    assert rows(harness) == {}


async def test_an_alarm_is_read_replaced_and_deleted_by_its_name(harness: ObjectHarness) -> None:
    due = now(harness) + 60_000

    async def step(lab: Lab) -> list[int | None]:
        storage = lab.storage
        storage.set_alarm(due)
        storage.set_alarm(due + 1, name="b")
        storage.set_alarm(due + 2, name="b")
        seen = [await storage.get_alarm(), await storage.get_alarm("b")]
        storage.delete_alarm("b")
        storage.delete_alarm(name="never set")
        return [*seen, await storage.get_alarm(), await storage.get_alarm("b")]

    assert await perform(harness, step) == [due, due + 2, due, None]


@pytest.mark.parametrize("asleep", [True, False])
async def test_a_list_has_every_alarm_in_the_order_of_time_and_name(
    harness: ObjectHarness, *, asleep: bool
) -> None:
    due = now(harness) + 60_000
    every = timedelta(minutes=5)

    def step(lab: Lab) -> None:
        lab.storage.set_alarm(due, name="z", payload=[1, 2])
        lab.storage.set_alarm(due + 1, name="y", every=every)
        lab.storage.set_alarm(due, name="ä")
        lab.storage.set_alarm(due, name="gone")
        lab.storage.delete_alarm("gone")

    async def read(lab: Lab) -> list[AlarmEntry]:
        lab.storage.set_alarm(due + 2, name="unconfirmed")
        lab.storage.delete_alarm("ä")
        lab.storage.put("key", 1, expires_at=due)
        return await lab.storage.list_alarms()

    await perform(harness, step)
    if asleep:
        await forget(harness)
    assert await perform(harness, read) == [
        AlarmEntry(name="z", scheduled_for=due, next_run=due, payload=[1, 2]),
        AlarmEntry(name="y", scheduled_for=due + 1, next_run=due + 1, every=every),
        AlarmEntry(name="unconfirmed", scheduled_for=due + 2, next_run=due + 2),
    ]


async def test_a_list_is_of_the_instant_it_was_asked_for(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> list[AlarmEntry]:
        lab.storage.set_alarm(now(harness) + 60_000, name="before")
        reading = lab.storage.list_alarms()
        lab.storage.set_alarm(now(harness) + 60_000, name="after")
        return await reading

    assert [entry.name for entry in await perform(harness, step)] == ["before"]


async def test_a_list_shows_a_retry_and_what_came_of_the_last_run(harness: ObjectHarness) -> None:
    def fail(_lab: Alarmed, _info: AlarmInfo) -> None:
        raise LookupError("nobody here")

    Alarmed.on_ring = fail
    start = now(harness)
    await perform(harness, lambda lab: lab.storage.set_alarm(5, name="b"))
    await harness.settle()
    (entry,) = await perform(harness, lambda lab: lab.storage.list_alarms())
    assert (entry.name, entry.scheduled_for, entry.retry_count) == ("b", 5, 1)
    assert start + 2_000 <= entry.next_run <= start + 2_500
    assert entry.failure is not None
    assert (entry.failure.error_class, entry.failure.error_text) == ("LookupError", "nobody here")
    assert entry.failure.at_ms == start


@pytest.mark.parametrize(
    "name", ["n" * (ALARM_NAME_BYTES + 1), "ä" * 129, "a\0b", "\ud800", EXPIRY_ALARM]
)
async def test_a_name_that_cannot_be_one_is_refused_by_every_call(
    harness: ObjectHarness, name: str
) -> None:
    async def step(lab: Lab) -> None:
        storage = lab.storage
        for call in (
            lambda: storage.set_alarm(5, name=name),
            lambda: storage.get_alarm(name),
            lambda: storage.delete_alarm(name),
            lambda: storage.retry_dead_alarm(name),
            lambda: storage.forget_dead_alarm(name),
        ):
            with pytest.raises(StorageRefused):
                call()
        storage.put("went on", value=True)

    await perform(harness, step)
    assert harness.contents("lab", "a") == {"went on": True}


async def test_a_name_is_text(harness: ObjectHarness) -> None:
    def step(lab: Lab) -> None:
        wrong: Any = b"bytes"
        with pytest.raises(TypeError, match="bytes"):
            lab.storage.set_alarm(5, name=wrong)

    await perform(harness, step)
    assert is_own(EXPIRY_ALARM)


async def test_the_longest_name_and_the_largest_payload_are_taken(harness: ObjectHarness) -> None:
    name, payload = "ä" * (ALARM_NAME_BYTES // 2), b"x" * (ALARM_PAYLOAD_BYTES - 1)
    await perform(harness, lambda lab: lab.storage.set_alarm(5, name=name, payload=payload))
    await harness.settle()
    (info,) = Alarmed.runs
    assert (info.name, info.payload) == (name, payload)

    def step(lab: Lab) -> None:
        with pytest.raises(StorageRefused, match="4097"):
            lab.storage.set_alarm(5, payload=payload + b"x")
        with pytest.raises(StorageRefused, match="cannot be stored"):
            lab.storage.set_alarm(5, payload=object())

    await perform(harness, step)


async def test_an_object_has_so_many_alarms_and_no_more(harness: ObjectHarness) -> None:
    due = now(harness) + 60_000

    def fill(lab: Lab) -> None:
        for number in range(ALARMS):
            lab.storage.set_alarm(due + number, name=f"{number}")

    def overfill(lab: Lab) -> None:
        lab.storage.set_alarm(due, name="1", payload="replaced")
        with pytest.raises(TooManyAlarms):
            lab.storage.set_alarm(due, name="one more")
        lab.storage.delete_alarm("7")
        lab.storage.set_alarm(due, name="one more")
        with pytest.raises(TooManyAlarms):
            lab.storage.set_alarm(due, name="two more")

    await perform(harness, fill)
    await forget(harness)
    await perform(harness, overfill)
    assert len(rows(harness)) == ALARMS
    Alarmed.on_ring = lambda lab, _info: lab.storage.set_alarm(due + 10**9, name="the next")
    await harness.advance(60)
    assert "the next" in rows(harness), "the one that runs makes room for another"


async def test_alarms_count_as_bytes_of_the_unit() -> None:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}, limits=RoomLimits(unit_bytes=10_000)) as harness:
        due = now(harness) + 60_000

        def step(lab: Lab) -> None:
            for number in range(2):
                lab.storage.set_alarm(due, name=f"{number}", payload=b"x" * 4_000)
            lab.storage.set_alarm(due + 1, name="1", payload=b"x" * 1_000)
            for number in range(2, 6):
                lab.storage.set_alarm(due, name=f"{number}", payload=b"x" * 1_000)
            with pytest.raises(Overloaded):
                lab.storage.set_alarm(due, name="6", payload=b"x" * 1_000)
            for number in range(30):
                lab.storage.delete_alarm(f"never set {number}")

        await perform(harness, step)
        assert set(rows(harness)) == {"0", "1", "2", "3", "4", "5"}


async def test_what_is_said_need_not_wait_for_an_alarm_that_allows_it(
    harness: ObjectHarness,
) -> None:
    socket = await harness.connect("lab", "a")

    def step(lab: Lab) -> None:
        lab.storage.set_alarm(now(harness) + 60_000, allow_unconfirmed=True)
        lab.storage.delete_alarm(allow_unconfirmed=True)
        lab.storage.set_alarm(now(harness) + 60_000, allow_unconfirmed=True)
        lab.ctx.broadcast("set")

    harness.committer.hold()
    await perform(harness, step)
    await harness.settle()
    assert socket.take() == ["set"]
    harness.committer.release()


async def test_a_namespace_that_stores_nothing_has_no_alarms(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        for call in (
            lambda: lab.storage.set_alarm(5, name="b", every=60),
            lambda: lab.storage.delete_alarm("b"),
            lambda: lab.storage.retry_dead_alarm("b"),
            lambda: lab.storage.forget_dead_alarm("b"),
        ):
            with pytest.raises(Unsupported):
                call()
        storage = lab.storage
        return [
            await storage.get_alarm("b"),
            await storage.list_alarms(),
            await storage.dead_alarms(),
        ]

    Lab.step = step
    await harness.request("fleeting", "a", Request())
    assert Lab.result == [None, [], []]


async def test_the_storage_of_a_dropped_instance_tells_of_no_alarms(
    harness: ObjectHarness,
) -> None:
    kept: list[Lab] = []
    await perform(harness, kept.append)
    await forget(harness)
    storage = kept[0].storage
    for call in (storage.list_alarms, storage.dead_alarms, storage.retry_dead_alarm):
        with pytest.raises(RoomAborted):
            call()


async def test_an_object_without_alarms_reads_none(harness: ObjectHarness) -> None:
    await perform(harness, lambda lab: lab.storage.put("key", 1))
    await forget(harness)
    asked: list[str] = []
    alarms = harness.store.alarms

    async def counted(object_id: Any) -> Any:
        asked.append(str(object_id))
        return await alarms(object_id)

    harness.store.alarms = counted  # type: ignore[method-assign] # it still answers
    await perform(harness, lambda lab: lab.storage.set_alarm(now(harness) + 60_000, name="b"))
    assert asked == []
    await forget(harness)
    await perform(harness, lambda lab: lab.storage.get_alarm("b"))
    await perform(harness, lambda lab: lab.storage.get_alarm("c"))
    assert len(asked) == 1


async def test_a_ring_that_is_out_of_date_leaves_the_alarm_that_runs_its_identity(
    harness: ObjectHarness,
) -> None:
    """Else the run would take it for a newer one at its end, and leave it to run again."""
    read_one = harness.store.alarm

    async def read_anew(object_id: ObjectId, name: str) -> Alarm | None:
        found = await read_one(object_id, name)
        return replace(found) if found is not None else None

    harness.store.alarm = read_anew  # type: ignore[method-assign] # as a real database does

    async def rung_late(lab: Alarmed, _info: AlarmInfo) -> None:
        late.append(_tasks.start(harness.ringer.ring(a_ring(harness, 7)), name="late"))
        for _ in range(5):
            await lab.ctx.breathe()

    late: list[Any] = []
    Alarmed.on_ring = rung_late
    await perform(harness, lambda lab: lab.storage.set_alarm(5))
    await harness.advance(1)
    assert len(Alarmed.runs) == 1
    assert rows(harness) == {}
    await late[0]
