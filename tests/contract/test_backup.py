"""What `core.backup.BackupSource` and `Staging` promise."""

from uuid import UUID, uuid4

import pytest

from app.core.backup import StoredPart
from app.core.content_digest import ContentDigest
from app.core.errors import OwnedElsewhere
from app.core.ids import CommitSeq
from app.core.values import Alarm, AlarmFailure, Claim, CommitResult, WriteBatch
from app.store import backup
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

ALARM = Alarm(
    due_ms=1_700_000_000_123,
    next_attempt_ms=1_700_000_001_000,
    counted_attempts=2,
    uncounted_attempts=1,
    payload=b"\x00payload",
    every_ms=60_000,
    failure=AlarmFailure(error_class="ValueError", error_text="no", at_ms=1_700_000_000_500),
)
PLAIN_ALARM = Alarm(due_ms=1_700_000_000_000, next_attempt_ms=None)


async def store(
    world: World,
    name: str | None,
    rows: dict[bytes, bytes],
    alarms: dict[str, Alarm] | None = None,
    namespace: str = "notes",
) -> UUID:
    worker_id = await live_worker(world)
    ids = world.object_ids
    object_id = ids.unique(namespace) if name is None else ids.from_name(namespace, name)
    claim = await world.store.claim(object_id, worker_id)
    committer = await world.committer(worker_id, Lease())
    outcome = await commit(committer, Writes(claim), dict(rows), alarms=alarms or {})
    assert outcome.result is CommitResult.COMMITTED
    await world.store.release(claim)
    return object_id.uuid


async def everything(world: World, namespace: str | None = None) -> dict[UUID, StoredPart]:
    found: dict[UUID, StoredPart] = {}
    after = None
    while True:
        page = await world.backups.page(namespace=namespace, after=after)
        found |= {part.head.uuid: part for part in page.objects}
        if (after := page.last) is None:
            return found


def rows_of(count: int, *, size: int = 10) -> dict[bytes, bytes]:
    return {b"%06d" % number: b"v" * size for number in range(count)}


async def test_pages_hold_each_object_that_stores_anything_with_its_rows_and_alarms(
    world: World,
) -> None:
    rows = {b"b": b"2", b"": b"empty", b"\xff\x00": b"\x00" * 9}
    one = await store(world, "one", rows, {"": PLAIN_ALARM, "tick": ALARM})
    nameless = await store(world, None, {b"k": b"v"})
    only_alarms = await store(world, "alarms", {}, {"x": ALARM})
    await store(world, "nothing", {})
    found = await everything(world)
    assert set(found) == {one, nameless, only_alarms}
    assert found[one].rows == sorted(rows.items())
    assert found[one].alarms == {"": PLAIN_ALARM, "tick": ALARM}
    assert (found[one].head.name, found[one].head.commit_seq) == ("one", 1)
    assert found[nameless].head.name is None
    assert (found[only_alarms].rows, found[only_alarms].alarms) == ([], {"x": ALARM})


async def test_many_objects_come_page_by_page_in_the_order_of_their_ids(world: World) -> None:
    stored = [await store(world, f"n{number}", {b"k": b"v"}) for number in range(130)]
    await store(world, "other", {b"k": b"v"}, namespace="others")
    assert list(await everything(world, "notes")) == sorted(stored)
    assert len(await everything(world)) == 131


async def test_a_few_objects_among_many_others_are_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SEEN_OBJECTS", 7)
    wanted = [await store(world, f"n{number}", {b"k": b"v"}) for number in range(3)]
    for number in range(30):
        await store(world, f"n{number}", {b"k": b"v"}, namespace="others")
    assert list(await everything(world, "notes")) == sorted(wanted)
    assert await everything(world, "nothing") == {}


async def test_what_is_too_large_for_a_page_is_read_in_parts_of_one_snapshot(
    world: World,
) -> None:
    rows = rows_of(4_500)
    large = await store(world, "large", rows, {"a": ALARM})
    page = await world.backups.page(namespace=None, after=None)
    assert [part.rows for part in page.objects] == [None]
    parts = world.backups.parts(large)
    first = await anext(parts)
    # A commit in the middle of it is not seen.
    await store(world, "large", {b"000001": b"changed", b"later": b"x"})
    rest = [part async for part in parts]
    await parts.aclose()
    found = [row for part in (first, *rest) for row in part.rows or ()]
    assert found == sorted(rows.items())
    assert first.alarms == {"a": ALARM}
    assert all(not part.alarms for part in rest)
    assert len(rest) >= 1


async def test_an_object_that_stores_nothing_has_no_parts(world: World) -> None:
    assert [part async for part in world.backups.parts(uuid4())] == []


async def test_standing_tells_the_digest_that_is_made_of_streamed_rows(world: World) -> None:
    rows = {b"": b"x", b"a": b"", b"a\x00": b"y" * 5_000, b"\xff": b"z"}
    one = await store(world, "one", rows, {"a": ALARM})
    content = ContentDigest()
    for key, value in sorted(rows.items()):
        content.add(key, value)
    standing = await world.backups.standing([one, uuid4()])
    assert list(standing) == [one]
    assert standing[one].digest == content.digest()
    assert standing[one].alarms == 1


async def claimed(world: World, name: str, rows: dict[bytes, bytes]) -> Claim:
    worker_id = await live_worker(world)
    if rows:
        await store(world, name, rows)
    return await world.store.claim(world.object_ids.from_name("notes", name), worker_id)


def batch(claim: Claim, *, wipe: bool, expected: int | None = None) -> WriteBatch:
    return WriteBatch(
        object_id=claim.object_id,
        epoch=claim.epoch,
        expected=claim.commit_seq if expected is None else CommitSeq(expected),
        wipe=wipe,
        entries={},
        size_bytes=0,
        alarms={"tick": ALARM},
    )


async def test_staged_rows_move_in_with_one_fenced_commit(world: World) -> None:
    claim = await claimed(world, "one", {b"old": b"1", b"000001": b"old"})
    staging = uuid4()
    rows = rows_of(300)
    halves = sorted(rows.items())
    for half in (halves[:150], halves[100:]):  # what was sent twice is there once
        await world.staging.stage(staging, half)
    outcome = await world.staging.move(
        staging, batch(claim, wipe=True), claim.worker_id, rows=len(rows)
    )
    assert (outcome.result, outcome.commit_seq) == (CommitResult.COMMITTED, claim.commit_seq + 1)
    found = (await everything(world))[claim.object_id.uuid]
    assert [part.rows async for part in world.backups.parts(claim.object_id.uuid)] == [halves]
    assert (await world.store.alarms(claim.object_id)) == {"tick": ALARM}
    assert found.head.commit_seq == outcome.commit_seq


async def test_without_a_wipe_staged_rows_win_and_others_stay(world: World) -> None:
    claim = await claimed(world, "one", {b"old": b"1", b"000001": b"old"})
    staging = uuid4()
    await world.staging.stage(staging, sorted(rows_of(2).items()))
    outcome = await world.staging.move(staging, batch(claim, wipe=False), claim.worker_id, rows=2)
    assert outcome.result is CommitResult.COMMITTED
    (part,) = [part async for part in world.backups.parts(claim.object_id.uuid)]
    assert dict(part.rows or ()) == {**rows_of(2), b"old": b"1"}


async def test_nothing_moves_for_another_owner_another_number_or_another_count(
    world: World,
) -> None:
    claim = await claimed(world, "one", {b"old": b"1"})
    staging = uuid4()
    await world.staging.stage(staging, sorted(rows_of(2).items()))
    stranger = await live_worker(world)
    move = world.staging.move
    late = batch(claim, wipe=True, expected=claim.commit_seq + 1)
    assert (await move(staging, late, claim.worker_id, rows=2)).result is CommitResult.LOST
    mine = batch(claim, wipe=True)
    assert (await move(staging, mine, stranger, rows=2)).result is CommitResult.LOST
    assert (await move(staging, mine, claim.worker_id, rows=3)).result is CommitResult.UNAVAILABLE
    (part,) = [part async for part in world.backups.parts(claim.object_id.uuid)]
    assert part.rows == [(b"old", b"1")]


async def test_what_is_discarded_is_gone(world: World) -> None:
    claim = await claimed(world, "one", {})
    staging = uuid4()
    await world.staging.stage(staging, sorted(rows_of(2).items()))
    await world.staging.discard(staging)
    outcome = await world.staging.move(staging, batch(claim, wipe=True), claim.worker_id, rows=2)
    assert outcome.result is CommitResult.UNAVAILABLE


async def test_many_new_objects_are_claimed_at_once_and_those_that_exist_left_out(
    world: World,
) -> None:
    worker_id, other = await live_worker(world), await live_worker(world)
    there = await claimed(world, "there", {})
    ids = [world.object_ids.from_name("notes", name) for name in ("a", "there", "b")]
    claims = await world.staging.claim_new(ids, worker_id)
    assert {claim.object_id.name for claim in claims} == {"a", "b"}
    assert all(claim.epoch > there.epoch and claim.commit_seq == 0 for claim in claims)
    assert len({claim.epoch for claim in claims}) == 2
    with pytest.raises(OwnedElsewhere):
        await world.store.claim(ids[0], other)
    assert await world.staging.claim_new(ids, other) == []


async def test_who_is_not_live_claims_nothing(world: World) -> None:
    worker_id = await live_worker(world)
    await world.expire(worker_id)
    assert await world.staging.claim_new([world.object_ids.unique("notes")], worker_id) == []


async def test_what_was_written_is_given_up_at_once_unless_another_claim_followed(
    world: World,
) -> None:
    worker_id, other = await live_worker(world), await live_worker(world)
    ids = [world.object_ids.from_name("notes", name) for name in ("written", "bare", "retaken")]
    claims = {each.object_id.name: each for each in await world.staging.claim_new(ids, worker_id)}
    committer = await world.committer(worker_id, Lease())
    for name in ("written", "retaken"):
        outcome = await commit(committer, Writes(claims[name]), {b"k": b"v"})
        assert outcome.result is CommitResult.COMMITTED
    again = await world.store.claim(ids[2], worker_id)
    assert await world.staging.release_written(list(claims.values())) == [ids[0].uuid]
    assert (await world.store.claim(ids[0], other)).commit_seq == 1
    for held in ids[1:]:
        with pytest.raises(OwnedElsewhere):
            await world.store.claim(held, other)
    await world.store.release(again)
    assert await world.staging.release_written([]) == []
