"""storage.list against a sorted dictionary, over rows in every stage of their way to the disk."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.clock import DatabaseClock
from app.core.tasks import TaskOwner
from app.core.values import KeyRange, Page
from app.room.alarms import RoomAlarms
from app.room.expiry import RowExpiry
from app.room.input_gate import InputGate
from app.room.reading import RowReader
from app.room.sections import Sections
from app.room.storage import RoomStorage
from app.room.storage_parts import StorageParts
from app.testing.memory import MemoryObjectStore
from tests.unit.room.benches import LaneBench

KEYS = ["", "a", "a\0", "aa", "ab", "b", "é", "\U0010ffff", "\U0010ffffa"]
_KEYS = st.sampled_from(KEYS)
_WRITES = st.lists(st.tuples(_KEYS, st.none() | st.integers(0, 9)), max_size=4)
_FILLING = st.lists(st.tuples(_KEYS, st.integers(0, 9)), min_size=4, max_size=12)


class SmallPages(MemoryObjectStore):
    """Pages of three rows."""

    async def scan(self, object_id: Any, wanted: KeyRange) -> Page:
        limit = 3 if wanted.limit is None else min(3, wanted.limit)
        small = KeyRange(
            start=wanted.start, end=wanted.end, reverse=wanted.reverse, limit=limit + 1
        )
        page = await super().scan(object_id, small)
        cut = wanted.limit is None or wanted.limit > limit
        return Page(rows=page.rows[:limit], more=cut and len(page.rows) > limit)


_BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "prefix": _KEYS,
        "end": _KEYS,
        "reverse": st.booleans(),
        "limit": st.integers(1, 6),
    },
)
_STARTS: st.SearchStrategy[dict[str, str]] = (
    st.just({})
    | st.fixed_dictionaries({"start": _KEYS})
    | st.fixed_dictionaries({"start_after": _KEYS})
)


def _expected(rows: dict[str, int], options: dict[str, Any]) -> list[tuple[str, int]]:
    """What the documentation says, word by word."""
    chosen = [
        (key, value)
        for key, value in rows.items()
        if key.startswith(options.get("prefix", ""))
        and ("start" not in options or key.encode() >= options["start"].encode())
        and ("start_after" not in options or key.encode() > options["start_after"].encode())
        and ("end" not in options or key.encode() < options["end"].encode())
    ]
    chosen.sort(key=lambda row: row[0].encode(), reverse=options.get("reverse", False))
    return chosen[: options.get("limit")]


@settings(max_examples=800, deadline=None)
@given(
    stages=st.tuples(_FILLING, _WRITES, _WRITES, _WRITES),
    wipe_in=st.sampled_from([*[None] * 6, 0, 1, 2, 3]),
    bounds=_BOUNDS,
    start=_STARTS,
    cached=st.booleans(),
)
def test_a_list_is_what_a_sorted_dictionary_says(
    stages: Sequence[Sequence[tuple[str, int | None]]],
    wipe_in: int | None,
    bounds: dict[str, Any],
    start: dict[str, str],
    cached: bool,
) -> None:
    asyncio.run(_check(stages, wipe_in, bounds | start, cached=cached))


@pytest.mark.parametrize("seed", range(4))
def test_a_limited_list_is_right_around_deletions_at_random(seed: int) -> None:
    """Every key is there at first, and many are deleted on the way."""
    chance = random.Random(seed)

    def writes(count: int) -> list[tuple[str, int | None]]:
        return [(chance.choice(KEYS), chance.choice([None, None, 7])) for _ in range(count)]

    async def all_of_them() -> None:
        for _ in range(100):
            filling: list[tuple[str, int | None]] = [(key, 1) for key in KEYS]
            stages = [filling, *(writes(chance.randrange(4)) for _ in range(3))]
            options = {"limit": chance.randrange(1, 8), "reverse": chance.random() < 0.5}
            await _check(stages, None, options, cached=False)

    asyncio.run(all_of_them())


async def _check(
    stages: Sequence[Sequence[tuple[str, int | None]]],
    wipe_in: int | None,
    options: dict[str, Any],
    *,
    cached: bool,
) -> None:
    bench = await LaneBench().open()
    bench.in_event = True
    if cached:
        bench.lane.cache.fill([], complete=True)
    store = SmallPages(bench.database)
    clock = DatabaseClock(bench.clock)
    alarms = RoomAlarms(bench.lane, store, clock, heard=False, unit_bytes=10**6)
    gate = InputGate()
    sections = Sections(
        gate,
        tasks=TaskOwner("test"),
        clock=bench.clock,
        abort=lambda error: pytest.fail(str(error)),
        step_over=bench.unit.end_step,
        driven=False,
    )
    storage = RoomStorage(
        StorageParts(
            host=bench.unit,
            lane=bench.lane,
            reader=RowReader(bench.lane, store, clock, gate),
            sections=sections,
            alarms=alarms,
            expiry=RowExpiry(bench.lane, store, alarms, clock, gate),
            unit_bytes=10**6,
        )
    )
    rows: dict[str, int] = {}
    after: list[Callable[[], object]] = [
        bench.committer.commit_now,  # committed
        bench.committer.take,  # in flight
        bench.committer.take,  # pending: there is one in flight already
    ]
    for number, writes in enumerate(stages):
        if wipe_in == number:
            storage.delete_all()
            rows.clear()
        for key, value in writes:
            if value is None:
                storage.delete(key)
                rows.pop(key, None)
            else:
                storage.put(key, value)
                rows[key] = value
        if number < len(after):  # the last stage is the running unit itself
            bench.unit.finish()
            after[number]()
    found = list((await storage.list(**options)).items())
    assert found == _expected(rows, options)
    streamed = [row async for row in storage.stream(prefix=options.get("prefix"))]
    assert streamed == _expected(rows, {"prefix": options.get("prefix", "")})
    many = await storage.get_many([key for key, _ in found])
    assert many == dict(found)
