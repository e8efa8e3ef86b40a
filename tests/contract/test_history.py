"""What `core.history.ObjectHistory` and commits that keep history promise."""

import pytest

from app.core.errors import BookmarkExpired, BookmarkUnknown
from app.core.history import HistoryRule, HistoryStand
from app.core.ids import CommitSeq, ObjectId
from app.core.ports import Committer
from app.core.values import Claim, CommitResult, KeyRange
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

DAY = 86_400.0
KEPT = HistoryRule(seconds=7 * DAY, size_bytes=1 << 30)
IN_PART = HistoryRule(seconds=7 * DAY, size_bytes=1 << 30, without=frozenset({"fleeting"}))

Rows = dict[bytes, bytes]


class Bench:
    """An object whose commits keep history, and its rows after each of them."""

    def __init__(self, world: World, committer: Committer, claim: Claim) -> None:
        self.world = world
        self.committer = committer
        self.history = world.history
        self.object_id: ObjectId = claim.object_id
        self.writes = Writes(claim)
        self.states: list[Rows] = [{}]

    async def commit(self, entries: dict[bytes, bytes | None], *, wipe: bool = False) -> None:
        outcome = await commit(self.committer, self.writes, entries, wipe=wipe)
        assert outcome.result is CommitResult.COMMITTED
        self.states.append(await self.now())

    async def restore(self, number: int) -> CommitResult:
        before = len(self.writes.outcomes)
        self.committer.enqueue(self.writes.restore(CommitSeq(number)))
        outcome = await self.writes.answer(before)
        if outcome.result is CommitResult.COMMITTED:
            self.states.append(await self.now())
        return outcome.result

    async def now(self) -> Rows:
        return dict((await self.world.store.scan(self.object_id, KeyRange())).rows)

    async def at(self, number: int, wanted: KeyRange | None = None) -> Rows:
        page = await self.history.scan(self.object_id, CommitSeq(number), wanted or KeyRange())
        assert not page.more
        return dict(page.rows)

    async def stand(self) -> HistoryStand:
        stand = await self.history.stand(self.object_id)
        assert stand is not None
        return stand


async def bench_of(world: World, rule: HistoryRule, namespace: str = "notes") -> Bench:
    world.keep_history(rule)
    worker_id = await live_worker(world)
    claim = await world.store.claim(world.object_ids.from_name(namespace, "room"), worker_id)
    return Bench(world, await world.committer(worker_id, Lease()), claim)


@pytest.fixture
async def bench(world: World) -> Bench:
    return await bench_of(world, KEPT)


async def some_commits(bench: Bench) -> None:
    await bench.commit({b"a": b"1", b"b": b"2", b"": b""})
    await bench.commit({b"a": b"one", b"c": b"3"})
    await bench.commit({b"b": None, b"missing": None})
    await bench.commit({b"d": b"4"}, wipe=True)
    await bench.commit({})
    await bench.commit({b"a": b"again", b"d": b"4"})


async def test_every_state_can_be_read_and_restored(bench: Bench) -> None:
    await some_commits(bench)
    for number, state in enumerate(bench.states):
        assert await bench.at(number) == state
        keys = [b"a", b"b", b"c", b"d", b"", b"missing"]
        read = await bench.history.read(bench.object_id, CommitSeq(number), keys)
        assert read == {key: state[key] for key in keys if key in state}
    for number in (0, 3, 2, 4, 7, 1, 6):
        assert await bench.restore(number) is CommitResult.COMMITTED
        assert await bench.now() == bench.states[number]
    for number, state in enumerate(bench.states):
        assert await bench.at(number) == state


async def test_the_past_is_read_in_ranges(bench: Bench) -> None:
    await bench.commit({b"%d" % number: b"x" for number in range(9)})
    await bench.commit({b"3": None, b"5": b"y"})
    await bench.commit({b"%d" % number: None for number in range(9)})
    wanted = KeyRange(start=b"2", end=b"7")
    assert list(await bench.at(2, wanted)) == [b"2", b"4", b"5", b"6"]
    assert list(await bench.at(2, KeyRange(reverse=True, limit=3))) == [b"8", b"7", b"6"]
    assert (await bench.at(1, wanted))[b"5"] == b"x"


async def test_a_long_past_is_read_page_by_page(bench: Bench) -> None:
    rows: dict[bytes, bytes | None] = {b"%05d" % number: bytes(10) for number in range(4_500)}
    await bench.commit(rows)
    await commit(bench.committer, bench.writes, dict.fromkeys(list(rows)[::2]))
    found: list[bytes] = []
    start: bytes | None = None
    more = True
    while more:
        page = await bench.history.scan(bench.object_id, CommitSeq(1), KeyRange(start=start))
        found += [key for key, _ in page.rows]
        start, more = found[-1] + b"\0", page.more
    assert found == sorted(rows)


async def test_what_was_never_there_and_what_is_to_come_is_unknown(bench: Bench) -> None:
    nobody = bench.world.object_ids.from_name("notes", "nobody")
    assert await bench.history.stand(nobody) is None
    with pytest.raises(BookmarkUnknown):
        await bench.history.scan(nobody, CommitSeq(0), KeyRange())
    await bench.commit({b"a": b"1"})
    with pytest.raises(BookmarkUnknown):
        await bench.at(2)
    with pytest.raises(BookmarkUnknown):
        await bench.history.read(bench.object_id, CommitSeq(2), [b"a"])
    with pytest.raises(BookmarkUnknown):
        await bench.history.differences(bench.object_id, CommitSeq(2), CommitSeq(0), limit=9)


async def test_commits_are_listed_the_latest_first(bench: Bench) -> None:
    await some_commits(bench)
    entries = await bench.history.entries(bench.object_id, limit=10)
    assert [(entry.commit_seq, entry.keys) for entry in entries] == [
        (6, 2), (4, 4), (3, 1), (2, 2), (1, 3),
    ]  # fmt: skip
    assert entries[2].size_bytes == len(b"b2")
    assert [entry.made_ms for entry in entries] == sorted(
        (entry.made_ms for entry in entries), reverse=True
    )
    below = await bench.history.entries(bench.object_id, before=CommitSeq(4), limit=2)
    assert below == entries[2:4]


async def test_differences_name_the_rows_that_are_not_the_same(bench: Bench) -> None:
    await some_commits(bench)
    for first in range(len(bench.states)):
        for second in range(len(bench.states)):
            page = await bench.history.differences(
                bench.object_id, CommitSeq(first), CommitSeq(second), limit=100
            )
            before, after = bench.states[first], bench.states[second]
            assert [(row.key, row.before, row.after) for row in page.rows] == [
                (key, before.get(key), after.get(key))
                for key in sorted(before.keys() | after.keys())
                if before.get(key) != after.get(key)
            ]
            assert not page.more
    part = await bench.history.differences(
        bench.object_id, CommitSeq(0), CommitSeq(2), start=b"a", limit=2
    )
    assert [row.key for row in part.rows] == [b"a", b"b"]
    assert part.more


async def test_a_time_leads_to_the_last_commit_before_it(bench: Bench) -> None:
    for number in range(6):
        await bench.commit({b"n": b"%d" % number})
    for number, seconds in ((6, 100.0), (4, 100.0), (3, 100.0), (0, 100.0)):
        await bench.world.age(bench.object_id, number, seconds=seconds)
    stand = await bench.stand()
    now = stand.committed_ms
    commit_at = bench.history.commit_at
    assert await commit_at(stand, now + 1) == 6
    assert await commit_at(stand, now - 50_000) == 6 or stand.committed_ms > now - 50_000
    assert await commit_at(stand, now - 150_000) == 4
    assert await commit_at(stand, now - 250_000) == 3
    assert await commit_at(stand, stand.oldest_ms) == 0
    with pytest.raises(BookmarkExpired):
        await commit_at(stand, stand.oldest_ms - 1)
    made = [await bench.history.made_ms(stand, CommitSeq(number)) for number in range(7)]
    assert made == sorted(made)
    assert now - 350_000 < made[3] < now - 250_000 <= made[4]


async def test_what_is_kept_too_long_goes_and_is_expired(bench: Bench) -> None:
    await some_commits(bench)
    await bench.world.age(bench.object_id, 3, seconds=8 * DAY)
    await bench.world.prune(KEPT)
    assert (await bench.stand()).oldest == 3
    for number in range(3, 7):
        assert await bench.at(number) == bench.states[number]
    for number in range(3):
        with pytest.raises(BookmarkExpired):
            await bench.at(number)
        with pytest.raises(BookmarkExpired):
            await bench.history.differences(
                bench.object_id, CommitSeq(number), CommitSeq(5), limit=9
            )
    assert await bench.restore(3) is CommitResult.COMMITTED
    stand = await bench.stand()
    assert await bench.history.commit_at(stand, stand.oldest_ms + 1) == 3


async def test_a_state_that_is_gone_is_not_restored(bench: Bench) -> None:
    await some_commits(bench)
    await bench.world.age(bench.object_id, 3, seconds=8 * DAY)
    await bench.world.prune(KEPT)
    assert await bench.restore(2) is CommitResult.REFUSED
    assert isinstance(bench.writes.outcomes[-1].error, BookmarkExpired)
    assert await bench.now() == bench.states[6]
    await bench.commit({b"z": b"1"})


async def test_what_is_too_much_goes_the_oldest_first(bench: Bench) -> None:
    for number in range(10):
        await bench.commit({b"n": bytes(1_000) + b"%d" % number})
    await bench.world.prune(HistoryRule(seconds=DAY, size_bytes=3_300))
    assert (await bench.stand()).oldest == 7
    assert await bench.at(7) == bench.states[7]
    await bench.world.prune(HistoryRule(seconds=DAY, size_bytes=0))
    assert (await bench.stand()).oldest == 9, "the last commit can always be undone"
    await bench.commit({b"n": b"more"})
    assert await bench.at(9) == bench.states[9]


async def test_an_object_that_deletes_everything_can_be_undone_until_it_expires(
    bench: Bench,
) -> None:
    world = bench.world
    await bench.commit({b"a": b"1"})
    await bench.commit({}, wipe=True)
    await world.store.release(bench.writes.claim)
    assert await world.known(bench.object_id)
    claim = await world.store.claim(bench.object_id, bench.writes.claim.worker_id)
    assert claim.commit_seq == 2
    bench.writes = Writes(claim)
    await bench.restore(1)
    assert await bench.now() == {b"a": b"1"}
    await bench.commit({}, wipe=True)
    await world.store.release(claim)
    await world.prune(KEPT)
    assert await world.known(bench.object_id)
    await world.age(bench.object_id, 4, seconds=8 * DAY)
    await world.prune(KEPT)
    assert not await world.known(bench.object_id)


async def test_an_emptied_object_that_is_held_keeps_its_row_when_its_history_goes(
    bench: Bench,
) -> None:
    await bench.commit({b"a": b"1"})
    await bench.commit({}, wipe=True)
    await bench.world.age(bench.object_id, 2, seconds=8 * DAY)
    await bench.world.prune(KEPT)
    await bench.commit({b"a": b"2"})
    assert await bench.now() == {b"a": b"2"}
    assert await bench.at(2) == {}


async def test_changes_without_history_leave_no_state_that_is_guessed(bench: Bench) -> None:
    world, worker_id = bench.world, bench.writes.claim.worker_id
    await bench.commit({b"a": b"1"})
    world.keep_history(HistoryRule(seconds=0, size_bytes=0))
    keeping, bench.committer = bench.committer, await world.committer(worker_id, Lease())
    await bench.commit({b"a": b"2"})
    assert (await bench.stand()).oldest == 2
    assert await bench.at(2) == {b"a": b"2"}
    with pytest.raises(BookmarkExpired):
        await bench.at(1)
    world.keep_history(KEPT)
    bench.committer = keeping
    await bench.commit({b"a": b"3"})
    stand = await bench.stand()
    assert (stand.oldest, await bench.at(2)) == (2, {b"a": b"2"})
    with pytest.raises(BookmarkExpired):
        await bench.at(1)
    await world.prune(KEPT)
    entries = await bench.history.entries(bench.object_id, limit=9)
    assert [entry.commit_seq for entry in entries] == [3], "nobody can reach what was before"
    assert await bench.at(2) == {b"a": b"2"}


async def test_namespaces_may_keep_none_beside_others_that_do(world: World) -> None:
    bench = await bench_of(world, IN_PART)
    fleeting = world.object_ids.from_name("fleeting", "room")
    other = Writes(await world.store.claim(fleeting, bench.writes.claim.worker_id))
    for number in range(3):
        bench.committer.enqueue(other.put({b"a": b"%d" % number, b"b": None}, wipe=number == 2))
        await bench.commit({b"a": b"%d" % number, b"x": None})
        assert (await other.answer(number)).result is CommitResult.COMMITTED
    outcome = await commit(bench.committer, other, {b"c": b"1"})
    assert outcome.commit_seq == 4
    assert await world.history.entries(fleeting, limit=9) == []
    stand = await world.history.stand(fleeting)
    assert stand is not None
    assert stand.oldest == 4
    assert [await bench.at(number) for number in range(4)] == bench.states


async def test_a_late_copy_keeps_nothing_twice(bench: Bench) -> None:
    await bench.commit({b"a": b"1"})
    late = Writes(bench.writes.claim)
    late.expected = CommitSeq(1)
    await bench.commit({b"a": b"2"})
    for copy in (Writes(bench.writes.claim), late):
        outcome = await commit(bench.committer, copy, {b"a": b"late", b"b": b"late"}, wipe=True)
        assert outcome.result is CommitResult.LOST
    late_restore = Writes(bench.writes.claim)
    bench.committer.enqueue(late_restore.restore(CommitSeq(0)))
    assert (await late_restore.answer(0)).result is CommitResult.LOST
    assert [await bench.at(number) for number in range(3)] == bench.states
    entries = await bench.history.entries(bench.object_id, limit=9)
    assert [(entry.commit_seq, entry.keys) for entry in entries] == [(2, 1), (1, 1)]


async def test_history_goes_on_under_the_next_owner(bench: Bench) -> None:
    world = bench.world
    await bench.commit({b"a": b"1"})
    await world.expire(bench.writes.claim.worker_id)
    heir = await live_worker(world)
    former, bench.writes = bench.writes, Writes(await world.store.claim(bench.object_id, heir))
    outcome = await commit(bench.committer, former, {b"a": b"stale"})
    assert outcome.result is CommitResult.LOST
    bench.committer = await world.committer(heir, Lease())
    await bench.commit({b"a": b"2"})
    assert [await bench.at(number) for number in range(3)] == bench.states


async def test_bookmarks_are_in_the_order_of_commits_and_of_one_object_only(bench: Bench) -> None:
    for number in range(20):
        await bench.commit({b"n": b"%d" % number})
    stand = await bench.stand()
    bookmarks = [stand.bookmark(CommitSeq(number)) for number in range(21)]
    assert bookmarks == sorted(bookmarks)
    assert [stand.commit_of(bookmark) for bookmark in bookmarks] == list(range(21))
    other = bench.world.object_ids.from_name("notes", "other")
    claim = await bench.world.store.claim(other, bench.writes.claim.worker_id)
    await commit(bench.committer, Writes(claim), {b"a": b"1"})
    others = await bench.world.history.stand(other)
    assert others is not None
    for wrong in (bookmarks[1], "", "x", others.bookmark(CommitSeq(2))):
        with pytest.raises(BookmarkUnknown):
            others.commit_of(wrong)
