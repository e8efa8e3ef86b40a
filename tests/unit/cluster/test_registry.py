"""The registry: one live room of an object, however many ask for it."""

import pytest

from app.core.errors import (
    LeaseLost,
    NamespaceUnknown,
    ObjectFault,
    Overloaded,
    OwnedElsewhere,
    StoreUnavailable,
)
from app.core.tasks import TaskOwner
from app.room.room import Room
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness, WorkerBounds
from app.testing.memory import MemoryDatabase
from tests.unit.cluster.slow_store import Plain, SlowHarness, ask_for_room, gather_rooms

_tasks = TaskOwner("test")


# -- finding and making ------------------------------------------------------------------------


async def test_22_many_callers_at_once_make_one_claim_and_one_instance(
    slow_harness: SlowHarness,
) -> None:
    gate = slow_harness.slow.hold()
    callers = [ask_for_room(slow_harness) for _ in range(10)]
    await slow_harness.settle()
    assert len(slow_harness.registry) == 0
    assert slow_harness.object_id("plain", "a") in slow_harness.registry
    gate.set_result(None)
    rooms = await gather_rooms(callers)
    assert len({id(room) for room in rooms}) == 1
    assert slow_harness.slow.claims == 1
    assert Plain.starts == 1


async def test_one_callers_leaving_does_not_end_the_activation_of_the_others(
    slow_harness: SlowHarness,
) -> None:
    gate = slow_harness.slow.hold()
    impatient, patient = ask_for_room(slow_harness), ask_for_room(slow_harness)
    await slow_harness.settle()
    impatient.cancel()
    await slow_harness.settle()
    gate.set_result(None)
    assert (await patient).awake


async def test_a_failed_activation_fails_all_who_wait_and_the_next_one_tries_again(
    slow_harness: SlowHarness,
) -> None:
    slow_harness.database.away = True
    failed = await gather_rooms([ask_for_room(slow_harness) for _ in range(3)])
    assert [type(error) for error in failed] == [StoreUnavailable] * 3
    slow_harness.database.away = False
    assert (await slow_harness.room("plain", "a")).awake


async def test_30_a_start_that_raises_fails_its_caller_and_the_room_stays_for_the_next(
    slow_harness: SlowHarness,
) -> None:
    Plain.fail = True
    with pytest.raises(ObjectFault, match="not today"):
        await slow_harness.room("plain", "a")
    Plain.fail = False
    assert (await slow_harness.room("plain", "a")).awake
    assert slow_harness.slow.claims == 1


async def test_a_namespace_that_is_not_mounted_is_unknown(slow_harness: SlowHarness) -> None:
    with pytest.raises(NamespaceUnknown):
        await slow_harness.room("other", "a")


async def test_40_objects_do_not_wait_for_one_another(slow_harness: SlowHarness) -> None:
    gate = slow_harness.slow.hold()
    first = ask_for_room(slow_harness, "a")
    await slow_harness.settle()
    slow_harness.slow.held = None
    assert (await slow_harness.room("plain", "b")).awake
    assert not first.done()
    gate.set_result(None)
    await first


# -- owned elsewhere ---------------------------------------------------------------------------


async def _owned_elsewhere(harness: ObjectHarness, *, lease_seconds: float) -> None:
    other = harness.database.add_worker(lease_seconds=lease_seconds)
    await harness.store.claim(harness.object_id("plain", "a"), other)


async def test_an_object_that_a_living_worker_holds_is_refused(slow_harness: SlowHarness) -> None:
    await _owned_elsewhere(slow_harness, lease_seconds=60.0)
    with pytest.raises(OwnedElsewhere):
        await slow_harness.room("plain", "a")
    assert len(slow_harness.registry) == 0


async def test_23_two_workers_never_both_have_an_object() -> None:
    clock = FakeClock()
    database = MemoryDatabase(clock)
    async with (
        ObjectHarness({"plain": Plain}, database=database, clock=clock, node="one") as one,
        ObjectHarness({"plain": Plain}, database=database, clock=clock, node="two") as two,
    ):
        outcomes = await gather_rooms([ask_for_room(each) for each in (one, two) for _ in range(3)])
        rooms = [each for each in outcomes if isinstance(each, Room)]
        refused = [each for each in outcomes if isinstance(each, OwnedElsewhere)]
        assert (len(rooms), len(refused)) == (3, 3)
        assert len({id(room) for room in rooms}) == 1


async def test_24_26_a_worker_that_lost_its_lease_stores_and_says_nothing_more() -> None:
    clock = FakeClock()
    database = MemoryDatabase(clock)
    async with (
        ObjectHarness({"plain": Plain}, database=database, clock=clock, node="one") as one,
        ObjectHarness({"plain": Plain}, database=database, clock=clock, node="two") as two,
    ):
        old = await one.connect("plain", "a")
        one.committer.hold()
        old.say("of the old owner")
        one.committer.take()
        await one._sweeper.close()
        await one.membership._tasks.close()  # the worker is stopped: no renewal runs
        await two.advance(5.0)
        new = await two.connect("plain", "a")
        new.say("of the new owner")
        await two.settle()
        one.committer.settle()
        assert old.take() == []
        assert new.take() == ["of the new owner"]
        assert list(two.stored("plain", "a").values()) == [b'\x01"of the new owner"']


# -- bounds ------------------------------------------------------------------------------------


async def test_one_room_more_than_the_worker_may_hold_is_refused() -> None:
    async with SlowHarness(bounds=WorkerBounds(max_rooms=2)) as harness:
        for name in ("a", "b"):
            await harness.room("plain", name)
        with pytest.raises(Overloaded, match="holds 2 rooms"):
            await harness.room("plain", "c")
        await harness.room("plain", "a")


async def test_rooms_that_open_at_the_same_time_share_the_bound() -> None:
    async with SlowHarness(bounds=WorkerBounds(max_rooms=3)) as harness:
        gate = harness.slow.hold()
        callers = [ask_for_room(harness, str(number)) for number in range(10)]
        await harness.settle()
        gate.set_result(None)
        outcomes = await gather_rooms(callers)
        assert len(harness.registry) == 3
        assert sum(isinstance(each, Overloaded) for each in outcomes) == 7


# -- the lease ---------------------------------------------------------------------------------


async def test_without_a_lease_nothing_is_claimed(slow_harness: SlowHarness) -> None:
    await slow_harness.membership._tasks.close()  # or the next life begins at once
    slow_harness.clock.advance(10.0)
    with pytest.raises(LeaseLost):
        await slow_harness.room("plain", "a")
    assert slow_harness.slow.claims == 0


async def test_a_claim_that_comes_back_after_the_lease_was_lost_makes_no_room(
    slow_harness: SlowHarness,
) -> None:
    gate = slow_harness.slow.hold()
    waiting = ask_for_room(slow_harness)
    await slow_harness.settle()
    slow_harness.clock.advance(10.0)
    gate.set_result(None)
    with pytest.raises(LeaseLost):
        await waiting
    assert len(slow_harness.registry) == 0


async def test_a_claim_of_a_former_life_makes_no_room_in_the_next_one(
    slow_harness: SlowHarness,
) -> None:
    gate = slow_harness.slow.hold()
    waiting = ask_for_room(slow_harness)
    await slow_harness.settle()
    slow_harness.clock.advance(10.0)
    await slow_harness.advance(2.0)
    assert slow_harness.membership.holds(), "the next life has begun"
    gate.set_result(None)
    with pytest.raises(LeaseLost):
        await waiting


async def test_when_the_lease_is_lost_every_room_is_aborted_and_comes_back_with_the_next_life(
    slow_harness: SlowHarness,
) -> None:
    sockets = [await slow_harness.connect("plain", name) for name in ("a", "b")]
    slow_harness.clock.advance(10.0)
    await slow_harness.advance(2.0)
    assert [socket.closed for socket in sockets] == [(1013, "lease_lost")] * 2
    assert len(slow_harness.registry) == 0
    again = await slow_harness.connect("plain", "a")
    again.say("hello")
    await slow_harness.settle()
    assert again.take() == ["hello"]
