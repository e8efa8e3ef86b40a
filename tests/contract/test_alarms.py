"""What `core.ports` promises of alarms: their commits, and the queue of those that are due."""

import asyncio
from dataclasses import replace

import pytest

from app.core.ids import ObjectId, WorkerId
from app.core.ports import Committer
from app.core.values import Alarm, AlarmFailure, CommitResult, DueAlarm
from tests.contract.worlds import LEASE_SECONDS, World, identity, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

CLAIM_SECONDS = 60.0


class Desk:
    """A worker that commits the alarms of its objects."""

    def __init__(self, world: World, committer: Committer, worker_id: WorkerId, now: int) -> None:
        self.world = world
        self.committer = committer
        self.worker_id = worker_id
        self.now_ms = now
        self._open: dict[str, Writes] = {}

    async def writes(self, name: str = "room") -> Writes:
        if name not in self._open:
            object_id = self.world.object_ids.from_name("notes", name)
            claim = await self.world.store.claim(object_id, self.worker_id)
            self._open[name] = Writes(claim)
        return self._open[name]

    async def set(self, alarm: Alarm | None, *, name: str = "room", alarm_name: str = "") -> None:
        outcome = await commit(
            self.committer, await self.writes(name), {}, alarms={alarm_name: alarm}
        )
        assert outcome.result is CommitResult.COMMITTED

    async def due(self, *, ago_ms: int = 0, name: str = "room") -> Alarm:
        """Set an alarm that is due already."""
        alarm = at(self.now_ms - ago_ms)
        await self.set(alarm, name=name)
        return alarm

    async def stored(self, *, name: str = "room", alarm_name: str = "") -> Alarm | None:
        return await self.world.store.alarm(
            self.world.object_ids.from_name("notes", name), alarm_name
        )

    async def claimed(
        self, worker_id: WorkerId, *, limit: int = 10, seconds: float = CLAIM_SECONDS
    ) -> list[DueAlarm]:
        answer = await self.world.alarms.claim_due(worker_id, limit=limit, seconds=seconds)
        return answer.alarms


def at(due_ms: int) -> Alarm:
    return Alarm(due_ms=due_ms, next_attempt_ms=due_ms)


def names(alarms: list[DueAlarm]) -> list[str | None]:
    return [alarm.object_id.name for alarm in alarms]


@pytest.fixture
async def desk(world: World) -> Desk:
    who = identity()
    grant = await world.leases.register(who, lease_seconds=LEASE_SECONDS)
    committer = await world.committer(who.worker_id, Lease())
    return Desk(world, committer, who.worker_id, grant.database_ms)


async def test_an_object_has_no_alarm_at_first(desk: Desk) -> None:
    await desk.writes()
    assert await desk.stored() is None
    assert await desk.stored(name="never claimed") is None


@pytest.mark.parametrize(
    "alarm",
    [
        at(1),
        at(1_700_000_000_123),
        at(253_402_300_799_999),
        Alarm(due_ms=5, next_attempt_ms=None, counted_attempts=7),
        Alarm(
            due_ms=1_700_000_000_001,
            next_attempt_ms=1_700_000_000_999,
            counted_attempts=2,
            uncounted_attempts=3,
            payload=b"\x00payload",
            every_ms=60_000,
        ),
        Alarm(
            due_ms=5,
            next_attempt_ms=None,
            counted_attempts=7,
            failure=AlarmFailure(
                error_class="Überlauf", error_text="'no'\n\ufffd", at_ms=1_700_000_000_003
            ),
        ),
        Alarm(
            due_ms=5,
            next_attempt_ms=6,
            failure=AlarmFailure(error_class="", error_text="", at_ms=1),
        ),
    ],
)
async def test_an_alarm_is_read_as_it_was_committed(desk: Desk, alarm: Alarm) -> None:
    await desk.set(alarm)
    assert await desk.stored() == alarm


async def test_alarms_have_names_and_each_is_replaced_and_deleted_alone(desk: Desk) -> None:
    await desk.set(at(1))
    await desk.set(at(2), alarm_name="tidy")
    await desk.set(at(3))
    assert await desk.stored() == at(3)
    assert await desk.stored(alarm_name="tidy") == at(2)
    await desk.set(None)
    assert await desk.stored() is None
    assert await desk.stored(alarm_name="tidy") == at(2)


async def test_all_alarms_of_an_object_are_read_at_once_and_a_load_tells_of_them(
    desk: Desk,
) -> None:
    writes = await desk.writes()
    none = await desk.world.store.load(writes.claim, rows=10, size_bytes=100)
    assert not none.alarmed
    assert await desk.world.store.alarms(writes.claim.object_id) == {}
    dead = Alarm(due_ms=1, next_attempt_ms=None, counted_attempts=7)
    await desk.set(at(1))
    await desk.set(dead, alarm_name="späte Post")
    await desk.set(at(3), name="neighbour")
    assert await desk.world.store.alarms(writes.claim.object_id) == {"": at(1), "späte Post": dead}
    claim = replace(writes.claim, commit_seq=writes.expected)
    assert (await desk.world.store.load(claim, rows=10, size_bytes=100)).alarmed
    await commit(desk.committer, writes, {b"a": b"1"})
    claim = replace(writes.claim, commit_seq=writes.expected)
    with_rows = await desk.world.store.load(claim, rows=10, size_bytes=100)
    assert (with_rows.alarmed, with_rows.rows) == (True, [(b"a", b"1")])
    assert await desk.world.store.alarms(desk.world.object_ids.from_name("notes", "no")) == {}


async def test_what_is_set_anew_has_no_failure(desk: Desk) -> None:
    failure = AlarmFailure(error_class="ValueError", error_text="no", at_ms=7)
    await desk.set(Alarm(due_ms=5, next_attempt_ms=None, counted_attempts=7, failure=failure))
    await desk.set(at(6))
    assert await desk.stored() == at(6)


async def test_alarms_and_rows_are_one_commit(desk: Desk) -> None:
    writes = await desk.writes()
    outcome = await commit(desk.committer, writes, {b"a": b"1"}, alarms={"": at(5)})
    assert outcome.commit_seq == 1
    assert await desk.world.store.read(writes.claim.object_id, [b"a"]) == {b"a": b"1"}
    assert await desk.stored() == at(5)


async def test_what_the_fence_refuses_changes_no_alarm(desk: Desk) -> None:
    await desk.set(at(5))
    late_copy = Writes((await desk.writes()).claim)
    for change in (at(6), None):
        outcome = await commit(desk.committer, late_copy, {}, alarms={"": change})
        assert outcome.result is CommitResult.LOST
    outcome = await commit(desk.committer, late_copy, {}, wipe=True)
    assert outcome.result is CommitResult.LOST
    assert await desk.stored() == at(5)


async def test_a_wipe_ends_every_alarm_that_is_not_set_with_it(desk: Desk) -> None:
    for name in ("room", "neighbour"):
        await desk.set(at(1), name=name)
        await desk.set(at(2), name=name, alarm_name="tidy")
    await commit(desk.committer, await desk.writes(), {}, wipe=True, alarms={"tidy": at(3)})
    assert await desk.stored() is None
    assert await desk.stored(alarm_name="tidy") == at(3)
    assert await desk.stored(name="neighbour") == at(1)
    await commit(desk.committer, await desk.writes(), {b"a": b"1"}, wipe=True)
    assert await desk.stored(alarm_name="tidy") is None


async def test_groups_with_and_without_alarms_go_together(desk: Desk) -> None:
    rooms = [await desk.writes(f"room-{number}") for number in range(30)]
    for number, writes in enumerate(rooms):
        alarms = {"": at(number + 1)} if number % 3 else {}
        desk.committer.enqueue(writes.put({b"n": b"%d" % number}, alarms=alarms))
    for number, writes in enumerate(rooms):
        assert (await writes.answer(0)).result is CommitResult.COMMITTED
        expected = at(number + 1) if number % 3 else None
        assert await desk.stored(name=f"room-{number}") == expected


async def test_an_object_that_only_has_an_alarm_stays_when_it_is_released(desk: Desk) -> None:
    await desk.due()
    writes = await desk.writes()
    await desk.world.store.release(replace(writes.claim, commit_seq=writes.expected))
    assert await desk.world.known(writes.claim.object_id)
    assert names(await desk.claimed(desk.worker_id)) == ["room"]


async def test_a_due_alarm_is_claimed_by_one_worker(world: World, desk: Desk) -> None:
    alarm = await desk.due()
    object_id = (await desk.writes()).claim.object_id
    (claimed,) = await desk.claimed(await live_worker(world))
    assert claimed == DueAlarm(
        object_id=object_id, name="", due_ms=alarm.due_ms, attempt_ms=alarm.due_ms
    )
    assert (claimed.object_id.namespace, claimed.object_id.name) == ("notes", "room")
    assert str(claimed.object_id) == str(object_id)
    assert await desk.claimed(desk.worker_id) == []


async def test_an_alarm_that_is_not_due_yet_or_given_up_is_not_claimed(desk: Desk) -> None:
    await desk.set(at(desk.now_ms + 3_600_000), name="later")
    await desk.set(Alarm(due_ms=1, next_attempt_ms=None), name="given up")
    await desk.set(Alarm(due_ms=1, next_attempt_ms=desk.now_ms + 3_600_000), name="paused")
    answer = await desk.world.alarms.claim_due(desk.worker_id, limit=10, seconds=CLAIM_SECONDS)
    assert answer.alarms == []
    assert desk.now_ms <= answer.database_ms < desk.now_ms + 3_600_000


async def test_a_claim_tells_which_attempt_it_is(desk: Desk) -> None:
    await desk.set(Alarm(due_ms=1, next_attempt_ms=desk.now_ms - 5, counted_attempts=1))
    (claimed,) = await desk.claimed(desk.worker_id)
    assert (claimed.due_ms, claimed.attempt_ms) == (1, desk.now_ms - 5)


async def test_the_longest_due_are_claimed_first_and_no_more_than_asked_for(desk: Desk) -> None:
    for minutes in (3, 1, 4, 2, 5):
        await desk.due(ago_ms=minutes * 60_000, name=f"{minutes}")
    assert names(await desk.claimed(desk.worker_id, limit=2)) == ["5", "4"]
    assert names(await desk.claimed(desk.worker_id, limit=2)) == ["3", "2"]
    assert names(await desk.claimed(desk.worker_id, limit=2)) == ["1"]


async def test_an_object_with_many_alarms_leaves_room_for_those_of_others(desk: Desk) -> None:
    alarms = {f"{number:03}": at(desk.now_ms - 60_000 + number) for number in range(100)}
    await commit(desk.committer, await desk.writes("hog"), {}, alarms=alarms)
    await desk.due(ago_ms=10, name="neighbour")
    hog = (await desk.writes("hog")).claim.object_id
    queue = desk.world.alarms
    first = await queue.claim_due(desk.worker_id, limit=16, seconds=60, each=3)
    assert [alarm.name for alarm in first.alarms] == ["000", "001", "002"]
    assert first.more
    second = await queue.claim_due(desk.worker_id, limit=16, seconds=60, each=3, without=[hog])
    assert names(second.alarms) == ["neighbour"]
    assert not second.more
    third = await queue.claim_due(desk.worker_id, limit=2, seconds=60, each=3)
    assert [alarm.name for alarm in third.alarms] == ["003", "004"]


async def test_an_object_that_was_reached_by_its_id_alone_is_claimed_without_a_name(
    desk: Desk,
) -> None:
    unique = desk.world.object_ids.unique("notes")
    writes = Writes(await desk.world.store.claim(unique, desk.worker_id))
    await commit(desk.committer, writes, {}, alarms={"": at(1)})
    (claimed,) = await desk.claimed(desk.worker_id)
    assert (claimed.object_id, claimed.object_id.name) == (unique, None)
    named = ObjectId(namespace=unique.namespace, uuid=unique.uuid, check=unique.check, name="found")
    await desk.world.store.claim(named, desk.worker_id)
    await desk.world.alarms.keep(desk.worker_id, [claimed], seconds=0)
    assert names(await desk.claimed(desk.worker_id)) == ["found"]


async def test_many_workers_claim_side_by_side_and_no_alarm_twice(world: World, desk: Desk) -> None:
    for number in range(40):
        desk.committer.enqueue(
            (await desk.writes(f"{number}")).put({}, alarms={"": at(desk.now_ms - number)})
        )
    for number in range(40):
        await (await desk.writes(f"{number}")).answer(0)
    workers = [await live_worker(world) for _ in range(4)]
    found: list[DueAlarm] = []
    for _ in range(10):
        for claimed in await asyncio.gather(*(desk.claimed(each, limit=3) for each in workers)):
            found += claimed
    assert sorted(int(name or "") for name in names(found)) == list(range(40))


@pytest.mark.parametrize("end", ["retired", "expired", "draining", "unknown"])
async def test_a_worker_that_is_not_live_claims_no_alarm(
    world: World, desk: Desk, end: str
) -> None:
    await desk.due()
    worker_id = await live_worker(world)
    if end == "retired":
        await world.leases.retire(worker_id)
    elif end == "expired":
        await world.expire(worker_id)
    elif end == "draining":
        await world.leases.set_draining(worker_id, draining=True)
    else:
        worker_id = identity().worker_id
    assert await desk.claimed(worker_id) == []
    assert names(await desk.claimed(desk.worker_id)) == ["room"]


@pytest.mark.parametrize("end", ["retired", "expired", "over"])
async def test_a_claim_is_void_when_its_worker_or_its_time_has_ended(
    world: World, desk: Desk, end: str
) -> None:
    await desk.due()
    ringer = await live_worker(world)
    assert await desk.claimed(ringer, seconds=0 if end == "over" else CLAIM_SECONDS)
    if end == "retired":
        await world.leases.retire(ringer)
    elif end == "expired":
        await world.expire(ringer)
    assert names(await desk.claimed(desk.worker_id)) == ["room"]
    assert await desk.claimed(desk.worker_id) == []


async def test_a_claim_can_be_kept_longer_and_given_back(world: World, desk: Desk) -> None:
    await desk.due()
    ringer = await live_worker(world)
    claimed = await desk.claimed(ringer, seconds=0)
    await world.alarms.keep(ringer, claimed, seconds=CLAIM_SECONDS)
    assert await desk.claimed(desk.worker_id) == []
    await world.alarms.keep(ringer, claimed, seconds=0)
    assert names(await desk.claimed(desk.worker_id)) == ["room"]


async def test_nobody_keeps_the_claim_of_another(world: World, desk: Desk) -> None:
    await desk.due()
    first, second = await live_worker(world), await live_worker(world)
    claimed = await desk.claimed(first, seconds=0)
    assert await desk.claimed(second)
    await world.alarms.keep(first, claimed, seconds=0)
    assert await desk.claimed(first) == []
    await world.alarms.keep(first, [], seconds=CLAIM_SECONDS)


async def test_what_the_owner_sets_anew_is_nobodys_claim(world: World, desk: Desk) -> None:
    before = await desk.due()
    ringer = await live_worker(world)
    claimed = await desk.claimed(ringer)
    again = replace(before, next_attempt_ms=desk.now_ms - 1, counted_attempts=1)
    await desk.set(again)
    await world.alarms.keep(ringer, claimed, seconds=CLAIM_SECONDS)
    (taken,) = await desk.claimed(desk.worker_id)
    assert (taken.due_ms, taken.attempt_ms) == (before.due_ms, desk.now_ms - 1)
    assert await desk.stored() == again


async def test_keeping_an_attempt_that_is_over_leaves_the_claim_of_the_next_alone(
    desk: Desk,
) -> None:
    before = await desk.due(ago_ms=10)
    over = await desk.claimed(desk.worker_id)
    await desk.set(replace(before, next_attempt_ms=desk.now_ms - 1, counted_attempts=1))
    assert await desk.claimed(desk.worker_id)
    await desk.world.alarms.keep(desk.worker_id, over, seconds=0)
    assert await desk.claimed(desk.worker_id) == []


async def test_a_claim_changes_nothing_that_the_owner_reads(desk: Desk) -> None:
    alarm = await desk.due()
    assert await desk.claimed(desk.worker_id)
    assert await desk.stored() == alarm
    outcome = await commit(desk.committer, await desk.writes(), {b"a": b"1"}, alarms={"": None})
    assert (outcome.result, outcome.commit_seq) == (CommitResult.COMMITTED, 2)
    assert await desk.stored() is None
