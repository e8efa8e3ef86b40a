"""Any events in any interleaving keep the rules of the input gate, and lose nothing.

Events are small programs of reads, sleeps, increments, sections and transactions. Every wait ends
when a schedule says so, in any order. Each event notes what it does; the notes are read against
the rules: whose turn it is can be told from them alone.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.ids import ObjectId
from app.testing.memory import MemoryObjectStore
from tests.conformance.gate_stage import Stage, StageHarness

_WAITS: list["asyncio.Future[None]"] = []
_NOTES: list[tuple[int, str]] = []

_SIMPLE = st.sampled_from(["read", "free read", "sleep", "add", "put", "task"])
_STEP = st.recursive(
    _SIMPLE,
    lambda inner: st.tuples(
        st.sampled_from(["section", "transaction", "two sections"]), st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)
_EVENTS = st.lists(st.lists(_STEP, max_size=4), min_size=1, max_size=5)
_SCHEDULE = st.lists(st.integers(0, 20), max_size=60)

Program = Sequence[Any]


async def _wait() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _WAITS.append(future)
    await future


class ScheduledStore(MemoryObjectStore):
    """Its reads end when the schedule says so."""

    async def read(self, object_id: ObjectId, keys: Collection[bytes]) -> dict[bytes, bytes]:
        await _wait()
        return await super().read(object_id, keys)


async def _run(self: Stage, event: int, program: Program) -> int:
    """Run a program; returns how often it has counted."""
    counted = 0
    for step in program:
        counted += await _do(self, event, step)
        _NOTES.append((event, "goes on"))
    return counted


async def _do(self: Stage, event: int, step: Any) -> int:
    storage = self.storage
    if not isinstance(step, str):
        return await _do_alone(self, event, *step)
    if step in {"read", "add"}:
        _NOTES.append((event, "holds"))
        value = await storage.get("count", 0, no_cache=True)
        _NOTES.append((event, "lets go"))
        if step == "add":
            storage.put("count", value + 1)
            return 1
    elif step == "free read":
        await storage.get("other", no_cache=True, allow_concurrency=True)
    elif step == "sleep":
        await _wait()
    elif step == "put":
        storage.put(f"key {event}", event)
    elif step == "task":
        await asyncio.gather(_wait(), _wait())
    return 0


async def _do_alone(self: Stage, event: int, kind: str, program: Program) -> int:
    async def alone() -> int:
        _NOTES.append((event, "holds"))
        counted = await _run(self, event, program)
        _NOTES.append((event, "lets go"))
        return counted

    if kind == "transaction":
        async with self.storage.transaction():
            return await alone()
    first = self.ctx.block_concurrency_while(alone)
    if kind == "section":
        return await first
    second = self.ctx.block_concurrency_while(alone)
    return await second + await first


async def _event(self: Stage, event: int, program: Program) -> int:
    _NOTES.append((event, "begins"))
    counted = await _run(self, event, program)
    _NOTES.append((event, "ends"))
    return counted


def _check(notes: Sequence[tuple[int, str]], *, whole: bool) -> None:
    """No code of another event runs while one holds; with `whole`, while one has not ended."""
    depth: dict[int, int] = {}
    for event, what in notes:
        others = [other for other, holds in depth.items() if holds and other != event]
        assert not others, f"{event} {what} while {others} held: {notes}"
        if what == "holds" or (whole and what == "begins"):
            depth[event] = depth.get(event, 0) + 1
        elif what == "lets go" or (whole and what == "ends"):
            depth[event] -= 1
    begun = [event for event, what in notes if what == "begins"]
    assert begun == sorted(begun), "events begin in the order they came"


async def _play(kind: str, events: Sequence[Program], schedule: Sequence[int]) -> None:
    _WAITS.clear()
    _NOTES.clear()
    async with StageHarness() as harness:
        object.__setattr__(harness.registry._environment, "store", ScheduledStore(harness.database))
        await harness.ready(kind)
        Stage.steps = {"event": _event}
        calls = [
            harness.run(kind, "event", number, program) for number, program in enumerate(events)
        ]
        await harness.settle()
        choices = iter(schedule)
        while _WAITS:
            _WAITS.pop(next(choices, 0) % len(_WAITS)).set_result(None)
            await harness.settle()
        counted = sum(await asyncio.gather(*calls))
        assert harness.contents(kind, "a").get("count", 0) == counted
    _check(_NOTES, whole=kind == "plain")


@pytest.mark.parametrize("kind", ["plain", "free"])
@given(events=_EVENTS, schedule=_SCHEDULE)
@settings(max_examples=60, deadline=None)
def test_no_event_runs_where_another_one_holds_the_gate(
    kind: str, events: Sequence[Program], schedule: Sequence[int]
) -> None:
    asyncio.run(_play(kind, events, schedule))
