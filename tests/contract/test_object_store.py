"""What `core.ports.ObjectStore` promises."""

import asyncio

import pytest

from app.core.errors import LeaseLost, OwnedElsewhere, OwnershipLost
from app.core.ids import CommitSeq, ObjectId, WorkerId
from app.core.storage_codec import encode_value, with_expiry
from app.core.values import Claim, CommitResult, KeyRange
from tests.contract.worlds import ADDRESS, World, identity, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

KEYS = [b"", b"\x00", b"\x00\x01", b"A", b"a", b"a\x00", b"ab", b"b", b"\x7f", b"\x80", b"\xff"]
VALUES = {key: b"value of " + key for key in KEYS}


def room(world: World, name: str = "room") -> ObjectId:
    return world.object_ids.from_name("notes", name)


async def store_rows(world: World, rows: dict[bytes, bytes], name: str = "room") -> Claim:
    """Commit rows under a fresh claim; returns the claim as it stands afterwards."""
    worker_id = await live_worker(world)
    claim = await world.store.claim(room(world, name), worker_id)
    writes = Writes(claim)
    outcome = await commit(await world.committer(worker_id, Lease()), writes, dict(rows))
    assert outcome.result is CommitResult.COMMITTED
    return Claim(
        object_id=claim.object_id,
        worker_id=worker_id,
        epoch=claim.epoch,
        commit_seq=outcome.commit_seq,
    )


async def test_a_new_object_has_had_no_commits(world: World) -> None:
    worker_id = await live_worker(world)
    claim = await world.store.claim(room(world), worker_id)
    assert (claim.object_id, claim.worker_id) == (room(world), worker_id)
    assert claim.commit_seq == 0
    page = await world.store.load(claim, rows=10, size_bytes=1000)
    assert (page.rows, page.more) == ([], False)


async def test_epochs_ascend_and_are_never_used_twice_even_for_a_row_made_anew(
    world: World,
) -> None:
    worker_id = await live_worker(world)
    epochs = []
    for _ in range(3):
        claim = await world.store.claim(room(world), worker_id)
        again = await world.store.claim(room(world), worker_id)
        await world.store.release(again)
        epochs += [claim.epoch, again.epoch]
    assert epochs == sorted(set(epochs))


async def test_an_object_of_a_live_worker_is_owned_elsewhere(world: World) -> None:
    owner, other = await live_worker(world), await live_worker(world)
    claim = await world.store.claim(room(world), owner)
    with pytest.raises(OwnedElsewhere) as refused:
        await world.store.claim(room(world), other)
    assert refused.value.worker_id == owner
    assert refused.value.address == ADDRESS
    await world.store.load(claim, rows=1, size_bytes=1)


async def test_an_object_of_a_dead_worker_is_taken(world: World) -> None:
    owner, other = await live_worker(world), await live_worker(world)
    first = await world.store.claim(room(world), owner)
    await world.leases.retire(owner)
    second = await world.store.claim(room(world), other)
    assert second.epoch > first.epoch
    with pytest.raises(OwnershipLost):
        await world.store.load(first, rows=1, size_bytes=1)


async def test_taking_from_a_worker_whose_lease_ran_out_ends_that_worker_for_ever(
    world: World,
) -> None:
    owner, other = await live_worker(world), await live_worker(world)
    await world.store.claim(room(world), owner)
    await world.expire(owner)
    await world.store.claim(room(world), other)
    assert await world.leases.renew(owner, lease_seconds=60) is None
    with pytest.raises(LeaseLost):
        await world.store.claim(room(world, "another"), owner)


@pytest.mark.parametrize("end", ["retired", "expired", "unknown"])
async def test_a_worker_that_is_not_live_claims_nothing(world: World, end: str) -> None:
    worker_id = await live_worker(world)
    if end == "retired":
        await world.leases.retire(worker_id)
    elif end == "expired":
        await world.expire(worker_id)
    else:
        worker_id = identity().worker_id
    with pytest.raises(LeaseLost):
        await world.store.claim(room(world), worker_id)
    assert not await world.known(room(world))


async def test_of_many_claims_at_once_exactly_one_wins(world: World) -> None:
    workers = [await live_worker(world) for _ in range(8)]

    async def attempt(worker_id: WorkerId) -> Claim | None:
        try:
            return await world.store.claim(room(world), worker_id)
        except OwnedElsewhere:
            return None

    claims = await asyncio.gather(*(attempt(worker_id) for worker_id in workers))
    (winner,) = [claim for claim in claims if claim is not None]
    await world.store.load(winner, rows=1, size_bytes=1)


async def test_a_load_needs_the_claims_own_commit_number(world: World) -> None:
    claim = await store_rows(world, VALUES)
    stale = Claim(
        object_id=claim.object_id,
        worker_id=claim.worker_id,
        epoch=claim.epoch,
        commit_seq=CommitSeq(claim.commit_seq - 1),
    )
    with pytest.raises(OwnershipLost):
        await world.store.load(stale, rows=10, size_bytes=1000)
    await world.store.load(claim, rows=10, size_bytes=1000)


async def test_a_load_gives_rows_in_the_order_of_their_bytes(world: World) -> None:
    claim = await store_rows(world, VALUES)
    page = await world.store.load(claim, rows=100, size_bytes=1 << 20)
    assert page.rows == sorted(VALUES.items())
    assert not page.more


async def test_a_load_is_bounded_by_rows(world: World) -> None:
    claim = await store_rows(world, VALUES)
    page = await world.store.load(claim, rows=3, size_bytes=1 << 20)
    assert page.rows == sorted(VALUES.items())[:3]
    assert page.more
    page = await world.store.load(claim, rows=len(VALUES), size_bytes=1 << 20)
    assert not page.more


async def test_a_load_is_bounded_by_bytes_but_gives_at_least_one_row(world: World) -> None:
    rows = {bytes([number]): b"x" * 99 for number in range(10)}
    claim = await store_rows(world, rows)
    for size_bytes, expected in ((1, 1), (100, 1), (199, 1), (200, 2), (999, 9), (1000, 10)):
        page = await world.store.load(claim, rows=100, size_bytes=size_bytes)
        assert len(page.rows) == expected
        assert page.more == (expected < len(rows))


async def test_reading_gives_the_keys_that_exist(world: World) -> None:
    claim = await store_rows(world, VALUES)
    found = await world.store.read(claim.object_id, [b"a", b"missing", b"\xff", b""])
    assert found == {key: VALUES[key] for key in (b"a", b"\xff", b"")}
    assert await world.store.read(claim.object_id, []) == {}
    assert await world.store.read(room(world, "unknown"), [b"a"]) == {}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 4, len(KEYS), 100])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        (b"", None),
        (b"a", None),
        (None, b"b"),
        (b"a", b"b"),
        (b"b", b"a"),
        (b"a\x00", b"a\x00"),
    ],
)
async def test_a_scan_gives_the_range_that_was_asked_for(
    world: World, start: bytes | None, end: bytes | None, limit: int | None, *, reverse: bool
) -> None:
    claim = await store_rows(world, VALUES)
    page = await world.store.scan(
        claim.object_id, KeyRange(start=start, end=end, reverse=reverse, limit=limit)
    )
    expected = [
        (key, VALUES[key])
        for key in sorted(KEYS, reverse=reverse)
        if (start is None or key >= start) and (end is None or key < end)
    ]
    assert page.rows == expected[:limit]
    assert not page.more


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_scan_of_big_rows_comes_in_pages(world: World, *, reverse: bool) -> None:
    rows = {b"%d" % number: bytes(900_000) for number in range(6)}
    claim = await store_rows(world, rows)
    page = await world.store.scan(claim.object_id, KeyRange(reverse=reverse))
    assert page.more
    assert [key for key, _ in page.rows] == sorted(rows, reverse=reverse)[:4]
    last = page.rows[-1][0]
    rest = KeyRange(end=last, reverse=True) if reverse else KeyRange(start=last + b"\x00")
    page = await world.store.scan(claim.object_id, rest)
    assert [key for key, _ in page.rows] == sorted(rows, reverse=reverse)[4:]
    assert not page.more


async def test_a_scan_of_many_rows_comes_in_pages(world: World) -> None:
    rows = {b"%05d" % number: b"" for number in range(4_500)}
    claim = await store_rows(world, rows)
    sizes = []
    wanted = KeyRange()
    found = []
    more = True
    while more:
        page = await world.store.scan(claim.object_id, wanted)
        sizes.append(len(page.rows))
        found += page.rows
        wanted = KeyRange(start=page.rows[-1][0] + b"\x00")
        more = page.more
    assert sizes == [2_000, 2_000, 500]
    assert found == sorted(rows.items())


async def test_releasing_an_object_that_stored_nothing_leaves_no_row(world: World) -> None:
    claim = await world.store.claim(room(world), await live_worker(world))
    assert await world.known(room(world))
    await world.store.release(claim)
    assert not await world.known(room(world))


async def test_releasing_an_object_that_has_deleted_everything_leaves_no_row(world: World) -> None:
    worker_id = await live_worker(world)
    committer = await world.committer(worker_id, Lease())
    writes = Writes(await world.store.claim(room(world), worker_id))
    for wipe in (False, True):
        writes = Writes(await world.store.claim(room(world), worker_id))
        await commit(committer, writes, {b"a": b"1"})
        emptied = await commit(committer, writes, {} if wipe else {b"a": None}, wipe=wipe)
        assert emptied.result is CommitResult.COMMITTED
        await world.store.release(writes.claim)
        assert not await world.known(room(world))
    again = Writes(await world.store.claim(room(world), worker_id))
    assert again.claim.commit_seq == 0
    assert again.claim.epoch > writes.claim.epoch
    assert (await commit(committer, writes, {b"a": b"late"})).result is CommitResult.LOST
    assert (await commit(committer, again, {b"a": b"2"})).result is CommitResult.COMMITTED


async def test_a_released_object_keeps_its_rows_and_may_be_claimed_by_anybody(
    world: World,
) -> None:
    claim = await store_rows(world, VALUES)
    await world.store.release(claim)
    taken = await world.store.claim(claim.object_id, await live_worker(world))
    assert taken.commit_seq == claim.commit_seq
    page = await world.store.load(taken, rows=100, size_bytes=1 << 20)
    assert page.rows == sorted(VALUES.items())


async def test_releasing_under_an_old_epoch_changes_nothing(world: World) -> None:
    worker_id = await live_worker(world)
    old = await world.store.claim(room(world), worker_id)
    new = await world.store.claim(room(world), worker_id)
    await world.store.release(old)
    await world.store.load(new, rows=1, size_bytes=1)
    with pytest.raises(OwnedElsewhere):
        await world.store.claim(room(world), await live_worker(world))
    await world.store.release(new)
    await world.store.release(new)


async def test_keys_that_expire_are_told_with_their_times_the_earliest_first(world: World) -> None:
    rows = {
        b"plain": encode_value("a"),
        b"late": with_expiry(encode_value(bytes(100_000)), 9_000),
        b"early": with_expiry(encode_value({1, 2}), 7),
        b"same": with_expiry(encode_value(None), 9_000),
        b"bytes": encode_value(b"\x03"),
        b"empty": b"",
    }
    object_id = (await store_rows(world, rows)).object_id
    times = [(b"early", 7), (b"late", 9_000), (b"same", 9_000)]
    assert await world.store.expiring(object_id, limit=9) == times
    assert await world.store.expiring(object_id, limit=2) == times[:2]


async def test_an_object_that_a_worker_does_not_know_it_holds_can_be_given_up(
    world: World,
) -> None:
    worker_id = await live_worker(world)
    claim = await world.store.claim(room(world), worker_id)
    await world.store.disown(room(world), await live_worker(world))
    assert await world.known(room(world)), "it is not the other one's to give up"
    await world.store.disown(room(world), worker_id)
    assert not await world.known(room(world))
    stored = await store_rows(world, VALUES)
    await world.store.disown(stored.object_id, stored.worker_id)
    again = await world.store.claim(claim.object_id, await live_worker(world))
    assert again.commit_seq == stored.commit_seq
