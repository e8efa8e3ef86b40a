"""Buffer, cache and commit lane together, against a plain dictionary.

Whatever is written, undone, wiped, committed or put off, in any order: a look-up through buffer,
cache and database always finds what a dictionary would hold, and the database always holds a
prefix of the finished units.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.core.mounts import Durability
from app.room.buffer import DELETED, UNKNOWN
from app.room.cache import RowCache
from app.room.limits import RoomLimits
from tests.unit.room.benches import LaneBench

KEYS = [b"a", b"b", b"c", b"d"]
DEEPEST = 4
_KEYS = st.sampled_from(KEYS)
_VALUES = st.none() | st.binary(max_size=12)

Rows = dict[bytes, bytes]


class WriteLane(RuleBasedStateMachine):
    """See the module.

    `finished` is what finished units made of the rows; `units` are those states, oldest first,
    that the database may be found in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bench = self.run(self._open())
        self.bench.lane.cache = RowCache(limit_bytes=24)
        self.finished: Rows = {}
        self.stack: list[Rows] = [{}]
        self.said = 0
        self.states: list[Rows] = [{}]
        self.heard_at: list[int] = []

    async def _open(self) -> LaneBench:
        bench = LaneBench(durability=Durability.COMMIT, limits=RoomLimits(relaxed_loss_ms=10**9))
        return await bench.open()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.loop.close()

    def in_loop(self, work: Callable[[], Any]) -> Any:
        """Run a plain function where the event loop runs."""

        async def call() -> Any:
            return work()

        return self.run(call())

    @property
    def now(self) -> Rows:
        """What a look-up must find."""
        return self.stack[-1]

    # -- the running unit ----------------------------------------------------------------------

    @rule(key=_KEYS, value=_VALUES, cached=st.booleans())
    def write(self, key: bytes, value: bytes | None, cached: bool) -> None:
        top = self.bench.lane.buffer.top
        top.set(key, value)
        top.confirmed = True
        if not cached:
            top.keep_out([key])
        if value is None:
            self.now.pop(key, None)
        else:
            self.now[key] = value

    @rule()
    def wipe(self) -> None:
        if len(self.stack) > 1:
            return
        top = self.bench.lane.buffer.top
        top.wipe()
        top.confirmed = True
        self.now.clear()

    @rule()
    def begin_transaction(self) -> None:
        if len(self.stack) == DEEPEST:
            return
        self.bench.lane.buffer.savepoint()
        self.stack.append(dict(self.now))

    @rule(well=st.booleans())
    def end_transaction(self, well: bool) -> None:
        depth = len(self.stack) - 1
        if depth == 0:
            return
        if well:
            self.stack[-2] = self.now
        else:
            self.bench.lane.buffer.rollback(depth)
        self.bench.lane.buffer.keep(depth)
        self.stack.pop()

    @rule()
    def undo(self) -> None:
        self.bench.unit.discard()
        self.stack = [dict(self.finished)]

    @rule()
    def end_unit(self) -> None:
        if len(self.stack) > 1:
            return
        self.finished = dict(self.now)
        self.said += 1
        self.states.append(dict(self.finished))
        number = self.said
        self.in_loop(lambda: self.bench.end_unit(str(number)))

    # -- the committer -------------------------------------------------------------------------

    @rule()
    def take(self) -> None:
        self.in_loop(self.bench.committer.take)

    @rule()
    def settle(self) -> None:
        self.in_loop(self.bench.committer.settle)

    @rule()
    def commit(self) -> None:
        """What the other rules do one by one, often enough that much of it lies on the disk."""
        self.end_unit()
        for _ in range(2):
            self.take()
            self.settle()

    # -- reads ---------------------------------------------------------------------------------

    @rule(key=_KEYS, keep=st.booleans())
    def read(self, key: bytes, keep: bool) -> None:
        """What a point read does; it may keep what the database said."""
        lane = self.bench.lane
        if lane.buffer.lookup(key) is UNKNOWN and lane.cache.lookup(key) is UNKNOWN and keep:
            row = self.bench.rows.get(key)
            lane.cache.remember(key, row, generation=lane.cache.generation)

    @rule(key=_KEYS, value=_VALUES)
    def read_slowly(self, key: bytes, value: bytes | None) -> None:
        """The database answers; before anybody looks, the key is written and committed."""
        lane = self.bench.lane
        if len(self.stack) == 1 and lane.buffer.lookup(key) is UNKNOWN:
            row, generation = self.bench.rows.get(key), lane.cache.generation
            self.write(key, value, cached=False)
            self.commit()
            lane.cache.remember(key, row, generation=generation)

    # -- what always holds ---------------------------------------------------------------------

    def check(self) -> None:
        self.every_key_is_found_as_it_was_written()
        self.the_overlay_on_committed_rows_is_the_present()
        self.what_is_committed_is_what_some_finished_units_made()
        self.what_was_heard_is_committed_and_in_order()
        self.sizes_are_those_of_the_entries()
        self.the_cache_keeps_to_its_bound_and_knows_its_size()

    @invariant()
    def every_key_is_found_as_it_was_written(self) -> None:
        lane = self.bench.lane
        for key in KEYS:
            found: Any = lane.buffer.lookup(key)
            if found is UNKNOWN:
                found = lane.cache.lookup(key)
            if found is UNKNOWN:
                found = self.bench.rows.get(key)
            seen = None if found is None or found is DELETED else found
            assert seen == self.now.get(key)

    @invariant()
    def the_overlay_on_committed_rows_is_the_present(self) -> None:
        wiped, overlay = self.bench.lane.buffer.overlay()
        rows = {} if wiped else dict(self.bench.rows)
        for key, value in overlay.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        assert rows == self.now

    @invariant()
    def what_is_committed_is_what_some_finished_units_made(self) -> None:
        assert self.bench.rows in self.states

    @invariant()
    def what_was_heard_is_committed_and_in_order(self) -> None:
        heard = [int(text) for text in self.bench.said]
        assert heard == list(range(1, len(heard) + 1))
        committed = max(n for n, state in enumerate(self.states) if state == self.bench.rows)
        last = heard[-1] if heard else 0
        assert last <= committed or self.states[last] == self.bench.rows

    @invariant()
    def sizes_are_those_of_the_entries(self) -> None:
        buffer = self.bench.lane.buffer
        for layer in (*buffer._stack, buffer.pending):
            size = sum(len(key) + len(value or b"") for key, value in layer.entries.items())
            assert layer.size_bytes == size

    @invariant()
    def the_cache_keeps_to_its_bound_and_knows_its_size(self) -> None:
        cache = self.bench.lane.cache
        size = sum(cache._cost(key, value) for key, value in cache._rows.items())
        assert cache._size == size <= 24


@pytest.mark.parametrize("seed", range(4))
def test_a_long_walk_at_random(seed: int) -> None:
    """Far more steps than Hypothesis takes; it is there to say which few were needed."""
    chance = random.Random(seed)
    lane = WriteLane()
    steps: list[Callable[[], None]] = [
        lambda: lane.write(chance.choice(KEYS), None, cached=chance.random() < 0.5),
        lambda: lane.write(chance.choice(KEYS), chance.randbytes(4), cached=chance.random() < 0.5),
        lambda: lane.read(chance.choice(KEYS), keep=True),
        lane.begin_transaction,
        lambda: lane.end_transaction(well=chance.random() < 0.5),
        lane.wipe,
        lane.undo,
        lane.end_unit,
        lane.take,
        lane.settle,
        lambda: lane.read_slowly(chance.choice(KEYS), chance.randbytes(2)),
    ]
    for _ in range(4_000):
        chance.choices(steps, weights=[9, 9, 9, 2, 4, 1, 1, 5, 5, 5, 1])[0]()
        lane.check()
    lane.teardown()


TestWriteLane = WriteLane.TestCase
TestWriteLane.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
