"""What `core.listing` promises, in memory and on Postgres: order, conditions, pages, totals."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

from app.core.ids import ObjectId, WorkerId
from app.core.listing import (
    ListedObject,
    ListingFilter,
    ListingRequest,
    NamespaceTotals,
    SortBy,
)
from app.core.ports import Committer
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

AWKWARD = (
    "", "a", "A", "B", "a%b", "a_b", "axb", "a\\b", "a/b", "ä", "zz", "\U0010ffff",
    "\U0010ffffa", "\ud7ff", "\ue000", "é", "e\u0301", "日本", "日本語", " ", "%", "_",
)  # fmt: skip


class Stage:
    """A worker that stores objects, and what became of each."""

    def __init__(self, world: World, worker_id: WorkerId, committer: Committer) -> None:
        self.world = world
        self.worker_id = worker_id
        self.committer = committer
        self.stored: dict[str, Writes] = {}

    @classmethod
    async def set_up(cls, world: World) -> "Stage":
        worker_id = await live_worker(world)
        return cls(world, worker_id, await world.committer(worker_id, Lease()))

    async def store(
        self, name: str, *, size: int = 8, namespace: str = "notes", rows: int = 1
    ) -> ObjectId:
        """Store `rows` rows of together `size` bytes and more for keys of one byte."""
        object_id = self.world.object_ids.from_name(namespace, name)
        writes = Writes(await self.world.store.claim(object_id, self.worker_id))
        entries = {bytes((number,)): b"v" * (size // rows) for number in range(rows)}
        await commit(self.committer, writes, entries)
        self.stored[name] = writes
        return object_id

    async def give_up(self, name: str) -> None:
        claim = self.stored[name].claim
        await self.world.store.release(replace(claim, commit_seq=self.stored[name].expected))


async def every(world: World, request: ListingRequest) -> list[ListedObject]:
    """All pages of a list."""
    found: list[ListedObject] = []
    while True:
        page = await world.listing.page(request)
        assert len(page.objects) <= request.limit
        found += page.objects
        if page.after is None:
            return found
        request = replace(request, after=page.after)


async def names(world: World, **conditions: Any) -> list[str | None]:
    where = ListingFilter(**conditions)
    return named(await every(world, ListingRequest(where=where)))


def named(objects: Iterable[ListedObject]) -> list[str | None]:
    return [each.object_id.name for each in objects]


async def test_names_stand_in_the_order_of_their_bytes_and_a_prefix_has_no_wildcards(
    world: World,
) -> None:
    stage = await Stage.set_up(world)
    for name in AWKWARD:
        await stage.store(name)
    await world.catch_up()
    ordered = sorted(AWKWARD, key=str.encode)
    assert await names(world) == ordered
    backwards = ListingRequest(descending=True, limit=3)
    assert named(await every(world, backwards)) == ordered[::-1]
    for prefix in (*AWKWARD, "nothing"):
        expected = [name for name in ordered if name.startswith(prefix)]
        assert await names(world, prefix=prefix) == expected


async def test_every_condition_holds_in_every_order_page_by_page(world: World) -> None:
    stage = await Stage.set_up(world)
    other = await Stage.set_up(world)
    chance = random.Random(5)
    for number in range(24):
        by = stage if number % 3 else other
        object_id = await by.store(f"{number % 4}/{number}", size=chance.choice((1, 50, 900)))
        if number % 5 == 0:
            await world.listing.set_tags(object_id, ["red", "big"])
        if number % 7 == 0:
            await by.give_up(f"{number % 4}/{number}")
    await world.leases.retire(other.worker_id)
    await world.catch_up()
    everything = await every(world, ListingRequest())
    middle = sorted(each.committed_ms or 0 for each in everything)[12]
    conditions = [
        ListingFilter(),
        ListingFilter(prefix="2/"),
        ListingFilter(owner=stage.worker_id),
        ListingFilter(live=True, prefix="1"),
        ListingFilter(live=False),
        ListingFilter(owner=other.worker_id, live=False, tag="red"),
        ListingFilter(min_bytes=51, max_bytes=51),
        ListingFilter(min_bytes=3, tag="big"),
        ListingFilter(committed_after_ms=middle),
        ListingFilter(committed_before_ms=middle, min_bytes=20),
        ListingFilter(tag="blue"),
        ListingFilter(namespaces=["notes"], tag="red", prefix="0/1"),
        ListingFilter(namespaces=["others"]),
        ListingFilter(namespaces=[]),
    ]
    for where, sort, descending in product(conditions, SortBy, (False, True)):
        expected = [each for each in everything if fits(each, where)]
        expected.sort(key=lambda each: position(each, sort), reverse=descending)
        request = ListingRequest(where=where, sort=sort, descending=descending, limit=2)
        assert named(await every(world, request)) == named(expected), request


def fits(each: ListedObject, where: ListingFilter) -> bool:
    name, size, committed = each.object_id.name or "", each.size_bytes or 0, each.committed_ms or 0
    return (
        (where.namespaces is None or each.object_id.namespace in where.namespaces)
        and name.startswith(where.prefix)
        and where.owner in {None, each.worker_id}
        and where.live in {None, each.live}
        and (where.min_bytes or 0) <= size <= (where.max_bytes or size)
        and (where.committed_after_ms or 0) <= committed
        and (where.committed_before_ms is None or committed < where.committed_before_ms)
        and (where.tag is None or where.tag in each.tags)
    )


def position(each: ListedObject, sort: SortBy) -> tuple[str | int, object]:
    value: str | int = each.object_id.name or ""
    if sort is SortBy.SIZE:
        value = each.size_bytes or 0
    elif sort is SortBy.LAST_COMMIT:
        value = each.committed_ms or 0
    return value, each.object_id.uuid


async def test_who_holds_an_object_is_never_told_from_an_old_list(world: World) -> None:
    stage = await Stage.set_up(world)
    for name in ("a", "b"):
        await stage.store(name)
    await world.catch_up()
    await stage.give_up("a")  # and the lists do not know yet
    assert await names(world, owner=stage.worker_id) == ["b"]
    assert await names(world, live=True) == ["b"]
    await world.leases.retire(stage.worker_id)
    assert await names(world, live=True) == []
    assert await names(world, live=False) == ["a", "b"]


async def test_lists_of_all_namespaces_are_merged(world: World) -> None:
    stage = await Stage.set_up(world)
    for number in range(12):
        await stage.store(f"{number:02}", namespace=f"n{number % 3}")
    await world.catch_up()
    found = await every(world, ListingRequest(limit=5))
    assert named(found) == [f"{number:02}" for number in range(12)]
    some = ListingFilter(namespaces=["n0", "n2"])
    assert len(await every(world, ListingRequest(where=some, limit=5))) == 8


async def test_what_is_told_of_an_object_is_what_its_row_says(world: World) -> None:
    stage = await Stage.set_up(world)
    object_id = await stage.store("a", size=100, rows=4)
    await world.catch_up()
    (listed,) = (await world.listing.page(ListingRequest())).objects
    assert listed.object_id == object_id
    assert (listed.worker_id, listed.live) == (stage.worker_id, True)
    assert (listed.commit_seq, listed.size_bytes, listed.rows) == (1, 104, 4)
    assert listed.size_current
    assert listed.sized_ms is not None
    assert (listed.committed_ms or 0) >= listed.created_ms
    found = await world.listing.find(object_id)
    assert found == replace(listed, sized_ms=found.sized_ms if found else None)


async def test_one_object_has_its_size_of_now_and_an_unknown_one_is_none(world: World) -> None:
    stage = await Stage.set_up(world)
    object_id = await stage.store("a", size=10)
    found = await world.listing.find(object_id)
    assert found is not None
    assert (found.size_bytes, found.rows, found.size_current) == (11, 1, True)
    assert await world.listing.find(world.object_ids.from_name("notes", "b")) is None


async def test_totals_are_the_sums_of_the_lists_whatever_came_and_went(world: World) -> None:
    stage = await Stage.set_up(world)
    for name in ("a", "b", "c"):
        await stage.store(name, size=10)
    await stage.store("d", size=100, namespace="others")
    await world.catch_up()
    await stage.store("a", size=40)
    await commit(stage.committer, stage.stored["b"], {}, wipe=True)
    await stage.give_up("b")
    await world.catch_up()
    assert await world.listing.totals() == [
        NamespaceTotals(namespace="notes", objects=2, size_bytes=41 + 11, rows=2),
        NamespaceTotals(namespace="others", objects=1, size_bytes=101, rows=1),
    ]
    assert await names(world, namespaces=["notes"]) == ["a", "c"]


async def test_a_deleted_object_is_not_listed_and_comes_back_with_its_tags(world: World) -> None:
    stage = await Stage.set_up(world)
    object_id = await stage.store("a", size=10)
    await world.listing.set_tags(object_id, ["red"])
    await world.catch_up()
    assert await world.states.delete(stage.stored["a"].claim, grace_seconds=60)
    assert await names(world) == []
    await world.catch_up()
    assert await world.listing.find(object_id) is None
    assert await world.listing.totals() == []
    assert not await world.listing.set_tags(object_id, ["blue"])
    assert await world.states.undelete(object_id)
    await world.catch_up()
    assert await names(world, tag="red") == ["a"]


async def test_tags_are_replaced_as_a_whole_and_go_with_their_object(world: World) -> None:
    stage = await Stage.set_up(world)
    object_id = await stage.store("a")
    assert await world.listing.set_tags(object_id, ["b", "a", "ä", "b"])
    assert await world.listing.set_tags(object_id, ["c", "a"])
    found = await world.listing.find(object_id)
    assert found is not None
    assert found.tags == ("a", "c")
    await commit(stage.committer, stage.stored["a"], {}, wipe=True)
    await stage.give_up("a")
    await world.catch_up()
    again = await stage.store("a")
    found = await world.listing.find(again)
    assert found is not None
    assert found.tags == ()
    assert not await world.listing.set_tags(world.object_ids.from_name("notes", "b"), ["a"])


async def test_figures_count_workers_and_what_they_hold(world: World) -> None:
    stage = await Stage.set_up(world)
    draining, dead = await live_worker(world), await live_worker(world)
    await world.leases.set_draining(draining, draining=True)
    await world.leases.retire(dead)
    for name in ("a", "b", "c"):
        await stage.store(name)
    await stage.give_up("c")
    await world.catch_up()
    figures = await world.listing.figures()
    assert (figures.workers_live, figures.workers_draining) == (1, 1)
    assert figures.objects_live == (2, True)
    assert figures.alarms_pending == (0, True)
