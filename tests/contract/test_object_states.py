"""What `core.object_state.ObjectStates` promises, and what claims and alarms make of it."""

import asyncio

import pytest

from app.core.errors import ObjectDeleted
from app.core.ids import ObjectId
from app.core.values import Alarm, Claim, CommitResult
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

WEEK = 7 * 86_400.0
LONG_AGO = Alarm(due_ms=1, next_attempt_ms=1)


def room(world: World, name: str = "room") -> ObjectId:
    return world.object_ids.from_name("notes", name)


async def held(world: World, name: str = "room", *, rows: int = 1) -> tuple[Claim, Writes]:
    """An object with rows and an alarm that is due, held by a live worker."""
    worker_id = await live_worker(world)
    claim = await world.store.claim(room(world, name), worker_id)
    writes = Writes(claim)
    entries = {b"key %d" % number: b"value" for number in range(rows)}
    committer = await world.committer(worker_id, Lease())
    outcome = await commit(committer, writes, entries, alarms={"": LONG_AGO})
    assert outcome.result is CommitResult.COMMITTED
    return claim, writes


async def due(world: World) -> int:
    """How many alarms a new worker is given."""
    answer = await world.alarms.claim_due(await live_worker(world), limit=10, seconds=0.0)
    return len(answer.alarms)


async def purge(world: World, object_id: ObjectId) -> None:
    async with asyncio.timeout(60):
        while not await world.states.purge_step(object_id, rows=2):
            pass


async def test_an_object_that_is_not_there_has_no_state(world: World) -> None:
    assert await world.states.state(room(world)) is None
    assert not await world.states.undelete(room(world))


async def test_an_object_in_use_is_neither_frozen_nor_deleted(world: World) -> None:
    claim, _ = await held(world)
    state = await world.states.state(world.object_ids.from_string("notes", str(claim.object_id)))
    assert state is not None
    assert (state.object_id, state.object_id.name) == (claim.object_id, "room")
    assert state.worker_id == claim.worker_id
    assert (state.frozen_ms, state.deleted_ms, state.purge_ms, state.purging) == (
        None,
        None,
        None,
        False,
    )


async def test_only_who_holds_the_object_freezes_or_deletes_it(world: World) -> None:
    former, _ = await held(world)
    await world.leases.retire(former.worker_id)
    present = await world.store.claim(room(world), await live_worker(world))
    assert not await world.states.set_frozen(former, frozen=True)
    assert not await world.states.delete(former, grace_seconds=0.0)
    state = await world.states.state(room(world))
    assert state is not None
    assert (state.frozen_ms, state.deleted_ms) == (None, None)
    assert await world.states.set_frozen(present, frozen=True)


async def test_a_frozen_object_is_so_for_every_later_owner_until_it_is_thawed(
    world: World,
) -> None:
    claim, writes = await held(world)
    assert not claim.frozen
    assert await world.states.set_frozen(claim, frozen=True)
    first = await world.states.state(room(world))
    assert await world.states.set_frozen(claim, frozen=True)
    assert await world.states.state(room(world)) == first, "frozen when it was frozen first"
    assert await due(world) == 0, "its alarms wait"
    await world.leases.retire(claim.worker_id)
    taken = await world.store.claim(room(world), await live_worker(world))
    assert taken.frozen
    assert taken.commit_seq == writes.expected, "freezing is no commit"
    await world.store.release(taken)
    again = await world.store.claim(room(world), await live_worker(world))
    assert again.frozen
    assert await world.states.set_frozen(again, frozen=False)
    await world.store.release(again)
    assert not (await world.store.claim(room(world), again.worker_id)).frozen
    assert await due(world) == 1


async def test_a_frozen_object_that_stores_nothing_is_not_forgotten(world: World) -> None:
    claim = await world.store.claim(room(world), await live_worker(world))
    await world.states.set_frozen(claim, frozen=True)
    await world.store.release(claim)
    again = await world.store.claim(room(world), claim.worker_id)
    assert again.frozen
    await world.states.set_frozen(again, frozen=False)
    await world.store.release(again)
    assert not await world.known(room(world))


async def test_a_deleted_object_cannot_be_claimed_nor_committed_to_and_its_alarms_are_silent(
    world: World,
) -> None:
    claim, writes = await held(world)
    assert await world.states.delete(claim, grace_seconds=WEEK)
    for worker_id in (claim.worker_id, await live_worker(world)):
        with pytest.raises(ObjectDeleted):
            await world.store.claim(room(world), worker_id)
    committer = await world.committer(claim.worker_id, Lease())
    outcome = await commit(committer, writes, {b"late": b"1"})
    assert outcome.result is CommitResult.LOST
    assert await due(world) == 0
    state = await world.states.state(room(world))
    assert state is not None
    assert state.worker_id is None
    assert state.deleted_ms is not None
    assert state.purge_ms is not None
    assert abs(state.purge_ms - state.deleted_ms - WEEK * 1000) < 60_000


async def test_what_is_undeleted_has_all_it_stored_its_alarms_and_its_frost(world: World) -> None:
    claim, writes = await held(world, rows=3)
    await world.states.set_frozen(claim, frozen=True)
    await world.states.delete(claim, grace_seconds=WEEK)
    assert await world.states.undelete(room(world))
    assert not await world.states.undelete(room(world)), "it is back already"
    state = await world.states.state(room(world))
    assert state is not None
    assert (state.deleted_ms, state.purge_ms) == (None, None)
    back = await world.store.claim(room(world), await live_worker(world))
    assert back.frozen
    assert (back.commit_seq, back.epoch > claim.epoch) == (writes.expected, True)
    page = await world.store.load(back, rows=10, size_bytes=1000)
    assert len(page.rows) == 3
    assert await world.store.alarms(room(world)) == {"": LONG_AGO}
    await world.states.set_frozen(back, frozen=False)
    assert await due(world) == 1


async def test_a_purge_begins_when_the_grace_time_is_over_and_not_before(world: World) -> None:
    for name, grace in (("kept", WEEK), ("gone", 0.0), ("gone too", 0.0)):
        claim, _ = await held(world, name)
        await world.states.delete(claim, grace_seconds=grace)
    await held(world, "in use")
    only = [room(world, "gone too"), room(world, "kept")]
    assert await world.states.begin_purges(limit=10, only=only) == [room(world, "gone too")]
    assert await world.states.begin_purges(limit=1) == [room(world, "gone")]
    begun = await world.states.begin_purges(limit=10)
    assert begun == [room(world, "gone"), room(world, "gone too")], "what is not over is told again"
    assert begun[0].name == "gone"


async def test_an_undelete_wins_before_the_purge_begins_and_never_after(world: World) -> None:
    claim, _ = await held(world)
    await world.states.delete(claim, grace_seconds=0.0)
    assert await world.states.undelete(room(world)), "its time is over, but nobody has begun"
    assert await world.states.begin_purges(limit=10) == []
    assert await world.states.purge_step(room(world), rows=10), "nothing is to be done"
    back = await world.store.claim(room(world), claim.worker_id)
    assert len((await world.store.load(back, rows=10, size_bytes=1000)).rows) == 1
    await world.states.delete(back, grace_seconds=0.0)
    assert await world.states.begin_purges(limit=10) == [room(world)]
    assert not await world.states.undelete(room(world))
    with pytest.raises(ObjectDeleted):
        await world.store.claim(room(world), claim.worker_id)


async def test_the_time_of_a_purge_can_be_set_anew_until_it_has_begun(world: World) -> None:
    claim, _ = await held(world)
    assert not await world.states.set_purge(room(world), grace_seconds=0.0), "not deleted"
    await world.states.delete(claim, grace_seconds=WEEK)
    assert await world.states.set_purge(room(world), grace_seconds=0.0)
    assert await world.states.begin_purges(limit=1) == [room(world)]
    assert not await world.states.set_purge(room(world), grace_seconds=WEEK)


async def test_deleted_objects_are_listed_page_by_page_in_the_order_of_their_purges(
    world: World,
) -> None:
    graces = {"b": 3.0, "a": 60.0, "d": WEEK, "c": 600.0}
    for name, grace in graces.items():
        claim, _ = await held(world, name)
        await world.states.set_frozen(claim, frozen=name == "c")
        await world.states.delete(claim, grace_seconds=grace)
    await held(world, "in use")
    names = []
    after = None
    while page := await world.states.deleted(after=after, limit=2):
        names += [state.object_id.name for state in page]
        last = page[-1]
        assert last.purge_ms is not None
        after = (last.purge_ms, last.object_id.uuid)
    assert names == ["b", "a", "c", "d"]
    (first, *_, third, _) = await world.states.deleted(after=None, limit=10)
    assert (first.object_id, first.deleted_ms is None) == (room(world, "b"), False)
    assert (first.frozen_ms is None, third.frozen_ms is None) == (True, False)


async def test_of_an_undelete_and_a_purge_at_once_exactly_one_happens(world: World) -> None:
    for number in range(20):
        claim, _ = await held(world, f"room {number}")
        await world.states.delete(claim, grace_seconds=0.0)
        object_id = claim.object_id
        undeleted, begun = await asyncio.gather(
            world.states.undelete(object_id), world.states.begin_purges(limit=1, only=[object_id])
        )
        state = await world.states.state(object_id)
        assert state is not None
        assert undeleted is not state.purging
        assert undeleted is (state.deleted_ms is None)
        assert not (undeleted and begun)


async def test_a_purge_goes_in_bounded_steps_and_frees_the_name(world: World) -> None:
    claim, _ = await held(world, rows=5)
    neighbour, _ = await held(world, "neighbour", rows=3)
    await world.states.delete(claim, grace_seconds=0.0)
    await world.states.begin_purges(limit=10)
    assert not await world.states.purge_step(room(world), rows=2)
    keys = [b"key %d" % number for number in range(5)]
    assert len(await world.store.read(room(world), keys)) == 3
    with pytest.raises(ObjectDeleted):
        await world.store.claim(room(world), claim.worker_id)
    await purge(world, room(world))
    assert not await world.known(room(world))
    assert await world.states.state(room(world)) is None
    assert await world.store.alarms(room(world)) == {}
    fresh = await world.store.claim(room(world), claim.worker_id)
    assert (fresh.commit_seq, fresh.epoch > claim.epoch) == (0, True)
    page = await world.store.load(fresh, rows=10, size_bytes=1000)
    assert (page.rows, page.alarmed) == ([], False)
    assert len(await world.store.read(neighbour.object_id, keys)) == 3
    await purge(world, room(world))
    assert await world.known(room(world)), "a late step finds nothing to do"


async def test_several_purge_one_object_at_once(world: World) -> None:
    claim, _ = await held(world, rows=40)
    await world.states.delete(claim, grace_seconds=0.0)
    await world.states.begin_purges(limit=10)
    await asyncio.gather(*(purge(world, room(world)) for _ in range(4)))
    assert not await world.known(room(world))
