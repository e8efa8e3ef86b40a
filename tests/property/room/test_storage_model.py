"""The author's storage against a dictionary, whatever is called in whatever order, and crashes.

Each event does the same to the storage and to a dictionary, and compares what it reads. Commits
are held back, taken and settled at random, instances are dropped, workers die; what the next
worker finds is what some number of whole units made, none of them lost that anybody heard of.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import StateroomError
from app.core.storage_codec import EXPIRING, decode_value, expiry_ms
from app.core.tasks import TaskOwner
from app.sdk import Context, DurableObject, Storage
from app.testing.harness import ObjectHarness

KEYS = ["", "a", "a\0", "ab", "b", "é", "\U0010ffff"]
_LATER_MS = [-1_000, 1, 400, 100_000]
_UNBLAMED_SECONDS = 31

Row = tuple[Any, int | None]
Rows = dict[str, Row]
Op = tuple[Any, ...]

_tasks = TaskOwner("test")


class Undo(Exception):
    """Raised by an event or a transaction that is to be undone."""


class Plain(DurableObject):
    """Has nothing of its own."""


class World:
    """An object, a dictionary, and workers that die.

    `units` are the states that the database may be found in, oldest first; `heard` is the number
    of the last one that somebody was told of.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.now: Rows = {}
        self.units: list[Rows] = [{}]
        self.heard = 0
        self._events: list[asyncio.Task[None]] = []

    async def open(self) -> "World":
        self.harness = await self._stack.enter_async_context(ObjectHarness({"plain": Plain}))
        self.harness.committer.hold()
        self.target = self.harness.object_id("plain", "a")
        return self

    # -- events --------------------------------------------------------------------------------

    def begin(self, ops: Sequence[Op], *, well: bool) -> None:
        """Have an event run; it may still wait for a commit when this returns."""

        async def work(_instance: Plain, context: Context) -> int:
            try:
                await self._run(context, context.storage, ops)
                _undo_if(not well)
            except Undo:
                self.now = dict(self.units[-1])
                raise
            return self._end_unit()

        async def event() -> None:
            try:
                unit = await self.harness.run_in_room(self.target, work)
            except (Undo, StateroomError):
                return
            self.heard = max(self.heard, unit)

        self._events.append(_tasks.start(event(), name="event"))

    def _end_unit(self) -> int:
        self.units.append(dict(self.now))
        return len(self.units) - 1

    async def _run(self, context: Context, storage: Storage, ops: Sequence[Op]) -> None:
        for name, *arguments in ops:
            await getattr(self, f"_{name}")(context, storage, *arguments)

    def _live(self, rows: Rows) -> dict[str, Any]:
        now_ms = self.harness.database_clock.now_ms()
        return {key: row[0] for key, row in rows.items() if row[1] is None or row[1] > now_ms}

    async def _put(self, context: Context, storage: Storage, key: str, later: int | None) -> None:
        value = len(self.units) * 1_000 + len(self.now)
        at_ms = None if later is None else context.now() + later
        storage.put(key, value, expires_at=at_ms)
        self.now[key] = (value, at_ms)

    async def _put_many(self, context: Context, storage: Storage, keys: list[str]) -> None:
        storage.put_many(dict.fromkeys(keys, frozenset({1})))
        self.now.update(dict.fromkeys(keys, (frozenset({1}), None)))

    async def _delete(self, context: Context, storage: Storage, key: str) -> None:
        existed = key in self._live(self.now)
        assert await storage.delete(key) is existed
        self.now.pop(key, None)

    async def _delete_all(self, context: Context, storage: Storage) -> None:
        storage.delete_all()
        self.now.clear()

    async def _read(self, context: Context, storage: Storage, options: dict[str, Any]) -> None:
        rows = self._live(self.now)
        reverse = options.get("reverse", False)
        chosen = sorted(rows.items(), key=lambda row: row[0].encode(), reverse=reverse)
        chosen = [row for row in chosen if row[0].startswith(options.get("prefix", ""))]
        assert list((await storage.list(**options)).items()) == chosen[: options.get("limit")]
        assert [await storage.get(key, "none") for key in KEYS] == [
            rows.get(key, "none") for key in KEYS
        ]
        assert await storage.get_many(KEYS) == rows

    async def _race(self, context: Context, storage: Storage, key: str) -> None:
        """Reads that are asked for before a write and answered after it."""
        rows = self._live(self.now)
        reading = _tasks.start(storage.get(key, "none"), name="get")
        listing = _tasks.start(storage.list(), name="list")
        await self._put(context, storage, key, None)
        assert await reading == rows.get(key, "none")
        assert await listing == rows

    async def _sync(self, context: Context, storage: Storage) -> None:
        unit = self._end_unit()
        await storage.sync()
        self.heard = max(self.heard, unit)

    async def _wait(self, context: Context, storage: Storage) -> None:
        self.harness.clock.advance(0.4)

    async def _transaction(
        self, context: Context, storage: Storage, ops: Sequence[Op], end: str
    ) -> None:
        before = dict(self.now)
        try:
            async with storage.transaction() as transaction:
                await self._run(context, transaction, ops)
                if end == "rollback":
                    transaction.rollback()
                _undo_if(end == "raise")
        except Undo:
            assert end == "raise"
        if end != "well":
            self.now = before

    # -- what happens between ------------------------------------------------------------------

    async def commit(self) -> None:
        """Let everything be committed."""
        self.harness.committer.release()
        await self.harness.settle()
        self.harness.committer.hold()
        for event in self._events:
            assert event.done()
            await event
        self._events.clear()

    async def take(self) -> None:
        """Let a batch be under way."""
        if not self.harness.committer.in_flight:
            self.harness.committer.take()

    async def settle(self) -> None:
        """Let the batch under way be committed."""
        self.harness.committer.settle()
        await self.harness.settle()

    async def forget(self) -> None:
        """Drop the instance and what it has in memory."""
        await self.commit()
        room = self.harness.live_room("plain", "a")
        if room is not None:
            await room.hibernate()

    async def expire(self) -> None:
        """Let every row that expires be removed."""
        await self.commit()
        self.harness.committer.release()
        await self.harness.advance(420)
        self.harness.committer.hold()

    async def crash(self) -> None:
        """The worker dies. What it had said is there, and nothing but whole units."""
        former = self.harness
        former.database.workers[former.worker_id].dead = True
        found = self._stored(former)
        whole = [number for number, rows in enumerate(self.units) if self._live(rows) == found]
        assert whole, "what is stored was made by whole units"
        assert whole[-1] >= self.heard, "nothing is lost that somebody heard of"
        self.harness = await self._stack.enter_async_context(
            ObjectHarness(
                {"plain": Plain},
                database=former.database,
                clock=former.clock,
                node=f"node {former.worker_id}",
            )
        )
        self.harness.committer.hold()
        await self.harness.room("plain", "a")
        former.committer.release()
        await former.settle()
        assert self._stored(former) == found, "the dead write nothing"
        self._events.clear()
        self.now = dict(self.units[whole[-1]])
        self.units, self.heard = [dict(self.now)], 0

    def _stored(self, harness: ObjectHarness) -> dict[str, Any]:
        now_ms = self.harness.database_clock.now_ms()
        return {
            key.decode(): decode_value(value)
            for key, value in harness.stored("plain", "a").items()
            if value[0] != EXPIRING or expiry_ms(value) > now_ms
        }


def _undo_if(asked: bool) -> None:
    if asked:
        raise Undo


_KEY = st.sampled_from(KEYS)
_IN_TRANSACTIONS: st.SearchStrategy[Op] = st.one_of(
    st.tuples(st.just("put"), _KEY, st.none()),
    st.tuples(st.just("put"), _KEY, st.sampled_from(_LATER_MS)),
    st.tuples(st.just("put_many"), st.lists(_KEY, max_size=4)),
    st.tuples(st.just("delete"), _KEY),
    st.tuples(st.just("race"), _KEY),
    st.tuples(st.just("wait")),
    st.tuples(
        st.just("read"),
        st.fixed_dictionaries(
            {},
            optional={"prefix": _KEY, "reverse": st.booleans(), "limit": st.integers(1, 5)},
        ),
    ),
)
_NESTED: st.SearchStrategy[Op] = st.recursive(
    _IN_TRANSACTIONS,
    lambda ops: st.tuples(
        st.just("transaction"),
        st.lists(ops, max_size=4),
        st.sampled_from(["well", "rollback", "raise"]),
    ),
    max_leaves=8,
)
_OPS: st.SearchStrategy[Op] = st.one_of(
    _NESTED, _NESTED, st.tuples(st.just("sync")), st.tuples(st.just("delete_all"))
)
_EVENT = st.tuples(st.lists(_OPS, min_size=1, max_size=6), st.integers(0, 4))
_BETWEEN = st.sampled_from(
    [*["commit", "take", "settle", "forget", "crash", "crash", ""] * 2, "expire"]
)


@settings(max_examples=50, deadline=None)
@given(program=st.lists(st.tuples(_EVENT, _BETWEEN), min_size=1, max_size=7))
def test_storage_is_a_dictionary_of_which_crashes_leave_whole_events(
    program: list[tuple[tuple[list[Op], int], str]],
) -> None:
    asyncio.run(_follow(program))


async def _follow(program: list[tuple[tuple[list[Op], int], str]]) -> None:
    async with AsyncExitStack() as stack:
        world = await World(stack).open()
        for (ops, luck), between in [*program, (([("read", {})], 1), "crash")]:
            world.begin(ops, well=luck > 0)
            await world.harness.settle()
            if luck == 0:
                await world.commit()
                await world.harness.advance(_UNBLAMED_SECONDS)
            if between:
                await getattr(world, between)()


@pytest.mark.parametrize("ops", [[("sync",)], [("put", "a", None), ("sync",), ("put", "b", 1)]])
def test_the_walk_begins_with_what_is_simple(ops: list[Op]) -> None:
    asyncio.run(_follow([((ops, 1), between) for between in ("take", "crash", "expire", "")]))
