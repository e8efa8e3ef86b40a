"""Setting, reading and deleting alarms, as parts of events and transactions (L, and 124 of J)."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import ObjectFault, OwnershipLost
from app.sdk import AlarmInfo, Context, DurableObject, Request
from app.testing.harness import ObjectHarness
from tests.conformance.verdicts import differs
from tests.unit.room.alarmed import Alarmed, get_alarm, now, row, set_alarm
from tests.unit.room.lab import Lab, forget, perform


class Eager(DurableObject):
    """Has no `on_alarm`, and sets an alarm when it is made."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        ctx.storage.set_alarm(5)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed, "deaf": Lab, "eager": Eager}) as opened:
        yield opened


async def test_124_a_rollback_leaves_the_alarm_as_it_was(harness: ObjectHarness) -> None:
    """A transaction that is rolled back leaves the alarm as it was."""
    due = now(harness) + 60_000
    await set_alarm(harness, due)

    async def step(lab: Lab) -> list[int | None]:
        seen = []
        async with lab.storage.transaction() as transaction:
            await lab.storage.set_alarm(due + 1)
            seen.append(await lab.storage.get_alarm())
            transaction.rollback()
        seen.append(await lab.storage.get_alarm())
        async with lab.storage.transaction() as transaction:
            await lab.storage.delete_alarm()
            seen.append(await lab.storage.get_alarm())
            transaction.rollback()
        seen.append(await lab.storage.get_alarm())
        async with lab.storage.transaction():
            await lab.storage.set_alarm(due + 2)
        return seen

    assert await perform(harness, step) == [due + 1, due, None, due]
    assert await get_alarm(harness) == due + 2


async def test_133_an_alarm_that_is_set_after_delete_all_survives(harness: ObjectHarness) -> None:
    """An alarm that is set after delete_all survives it."""
    due = now(harness) + 60_000
    await set_alarm(harness, due)

    def step(lab: Lab) -> None:
        lab.storage.set_alarm(due + 1)
        lab.storage.set_alarm(due + 1, name="before")
        lab.storage.delete_all()
        lab.storage.set_alarm(due + 2)
        lab.storage.put("key", 1)

    await perform(harness, step)
    entries = await perform(harness, lambda lab: lab.storage.list_alarms())
    assert [(entry.name, entry.scheduled_for) for entry in entries] == [("", due + 2)]
    assert harness.contents("lab", "a") == {"key": 1}


async def test_134_a_delete_all_that_fails_leaves_the_alarm(harness: ObjectHarness) -> None:
    """A delete_all that could not be committed leaves the alarm."""
    due = now(harness) + 5_000
    await set_alarm(harness, due)
    harness.fail_next_commit()
    with pytest.raises(OwnershipLost):
        await perform(harness, lambda lab: lab.storage.delete_all())
    assert await get_alarm(harness) == due
    await harness.advance(6)
    assert [info.scheduled_for for info in Alarmed.runs] == [due]


async def test_137_delete_all_in_the_run_leaves_nothing_to_run(harness: ObjectHarness) -> None:
    """After delete_all in the alarm's own run there is no further run of it."""
    Alarmed.on_ring = lambda lab, _info: lab.storage.delete_all()
    await set_alarm(harness, 5)
    await harness.advance(10)
    assert len(Alarmed.runs) == 1
    assert row(harness) is None


async def test_139_there_is_no_alarm_at_first(harness: ObjectHarness) -> None:
    """An object has no alarm at first."""
    assert await get_alarm(harness) is None


async def test_140_an_alarm_that_was_set_can_be_read(harness: ObjectHarness) -> None:
    """The time of an alarm is read as it was set, to the millisecond."""
    due = now(harness) + 60_001
    await set_alarm(harness, due)
    assert await get_alarm(harness) == due
    assert harness.alarm("lab", "a") == due
    await forget(harness)
    assert await get_alarm(harness) == due


async def test_141_setting_replaces_and_only_one_run_happens(harness: ObjectHarness) -> None:
    """Setting an alarm again replaces it, and it runs once."""
    await set_alarm(harness, now(harness) + 1_000)
    later = now(harness) + 5_000
    await set_alarm(harness, later)
    await harness.advance(3)
    assert Alarmed.runs == []
    await harness.advance(3)
    assert [run.scheduled_for for run in Alarmed.runs] == [later]


async def test_142_a_time_in_the_past_means_at_once_and_none_at_all_is_refused(
    harness: ObjectHarness,
) -> None:
    """A time that is no positive one is refused; one in the past means at once."""

    def step(lab: Lab) -> None:
        for when in (0, -1, 253_402_300_800_000):
            with pytest.raises(ValueError, match="1970"):
                lab.storage.set_alarm(when)
        lab.storage.set_alarm(5)

    await perform(harness, step)
    await harness.settle()
    assert [run.scheduled_for for run in Alarmed.runs] == [5]


@differs("The class is known before its constructor runs, so the mistake is told there as well.")
async def test_143_a_class_without_on_alarm_cannot_set_one(harness: ObjectHarness) -> None:
    """A class without on_alarm cannot set an alarm, except in its constructor."""
    Lab.step = lambda lab: lab.storage.set_alarm(5)
    with pytest.raises(ObjectFault, match="on_alarm"):
        await harness.request("deaf", "a", Request())
    with pytest.raises(ObjectFault, match="on_alarm"):
        await harness.request("eager", "a", Request())


async def test_149_a_deleted_alarm_does_not_run(harness: ObjectHarness) -> None:
    """An alarm that is deleted before its time does not run."""
    await set_alarm(harness, now(harness) + 1_000)
    await perform(harness, lambda lab: lab.storage.delete_alarm())
    assert await get_alarm(harness) is None
    await harness.advance(3)
    assert Alarmed.runs == []
    await perform(harness, lambda lab: lab.storage.delete_alarm())


async def test_162_alarm_and_data_are_one_commit(harness: ObjectHarness) -> None:
    """Alarm and data of one event are committed together or not at all."""
    due = now(harness) + 60_000

    def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        lab.storage.set_alarm(due)

    harness.fail_next_commit()
    with pytest.raises(OwnershipLost):
        await perform(harness, step)
    assert (row(harness), harness.contents("lab", "a")) == (None, {})
    await perform(harness, step)
    (batch,) = harness.committer.committed
    assert set(batch.entries) == {b"key"}
    alarm = batch.alarms[""]
    assert alarm is not None
    assert alarm.due_ms == due


async def test_171_setting_the_same_time_again_writes_nothing(harness: ObjectHarness) -> None:
    """Setting an alarm for the time that is set already writes nothing."""
    due = now(harness) + 60_000
    await set_alarm(harness, due)
    await set_alarm(harness, due)
    assert len(harness.committer.committed) == 1


async def test_an_alarm_with_another_payload_or_interval_is_another_one(
    harness: ObjectHarness,
) -> None:
    due = now(harness) + 1_000
    await set_alarm(harness, due)
    await perform(harness, lambda lab: lab.storage.set_alarm(due, payload="x"))
    await perform(harness, lambda lab: lab.storage.set_alarm(due, payload="x", every=60))
    assert len(harness.committer.committed) == 3
    await harness.advance(1)
    (info,) = Alarmed.runs
    assert isinstance(info, AlarmInfo)
    assert info.payload == "x"
