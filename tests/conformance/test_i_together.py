"""What is committed together, and what a crash can leave (I)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.core.errors import RoomAborted
from app.core.values import CommitResult
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.testing.driving import turn
from app.testing.harness import ObjectHarness
from tests.conformance.crashes import STAGES, Crash, after_a_crash
from tests.conformance.verdicts import differs
from tests.doubles.batch_source import commit
from tests.doubles.tcp_proxy import Fault, FaultProxy
from tests.integration.store.conftest import Site
from tests.unit.room.lab import LABS, InterleavingLab, Lab, begin, forget, perform
from tests.unit.room.seen import closed


@pytest.fixture(params=LABS)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": request.param}) as made:
        yield made


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


@pytest.mark.parametrize("stage", STAGES)
async def test_108_a_crash_leaves_all_writes_of_a_step_or_none(stage: Crash) -> None:
    """Puts and deletes with no await between: after a crash all are there, or none."""

    def step(lab: Lab) -> None:
        lab.storage.put("first", 1)
        lab.storage.put("second", 2)
        lab.storage.delete("old")

    before = {"old": 0}
    found = await after_a_crash(stage, before=before, step=step)
    assert found == ({"first": 1, "second": 2} if stage.applied else before)


@differs(
    "it holds for classes that interleave; by default an event is all or nothing up to its commit "
    "points, awaits or not, and a crash parts two puts only around `await storage.sync()`"
)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["await anything", "await sync", "interleave"])
async def test_109_a_crash_may_part_two_puts(stage: Crash, way: str) -> None:
    """Two puts with an await between them may be parted by a crash."""
    never = asyncio.Event()
    between: dict[str, Callable[[Lab], Awaitable[Any]]] = {
        "await anything": lambda _lab: turn(),
        "await sync": lambda lab: lab.storage.sync(),
        "interleave": lambda _lab: never.wait(),
    }

    async def step(lab: Lab) -> None:
        lab.storage.put("first", 1)
        await between[way](lab)
        lab.storage.put("second", 2)

    kind = InterleavingLab if way == "interleave" else Lab
    found = await after_a_crash(stage, before={}, step=step, lab=kind)
    whole = {"first": 1, "second": 2} if way == "await anything" else {"first": 1}
    assert found == (whole if stage.applied else {})


async def test_110_writes_made_while_a_commit_is_in_flight_go_into_the_next_in_order(
    harness: ObjectHarness,
) -> None:
    """Writes made while a commit is in flight go into the next one, in order."""
    alice = await harness.connect("lab", "a")

    def write(key: str) -> Any:
        return lambda lab: lab.storage.put(key, 1, allow_unconfirmed=True)

    harness.committer.hold()
    await perform(harness, write("first"))
    harness.committer.take()
    await perform(harness, write("second"))
    await perform(harness, write("third"))
    harness.committer.settle()
    harness.committer.commit_now()
    assert [set(batch.entries) for batch in harness.committer.committed] == [
        {b"first"},
        {b"second", b"third"},
    ]
    assert closed(alice) is None


async def test_111_the_last_put_to_a_key_wins(harness: ObjectHarness) -> None:
    """The last put to a key in a batch wins."""

    def step(lab: Lab) -> None:
        for number in range(3):
            lab.storage.put("key", number)

    await perform(harness, step)
    assert await perform(harness, _read) == {"key": 2}


async def test_112_reads_and_then_writes_are_one_step(harness: ObjectHarness) -> None:
    """Reads and then writes, with nothing else between, are one step for all other events."""

    async def step(lab: Lab) -> int:
        count: int = await lab.storage.get("count", 0)
        for key in await lab.storage.list(prefix="c"):
            assert key == "count"
        lab.storage.put("count", count + 1)
        return count

    await perform(harness, step)
    await forget(harness)
    Lab.step = step
    events = [begin(harness, step) for _ in range(50)]
    for event in events:
        await event
    assert harness.contents("lab", "a") == {"count": 51}


async def test_113_a_put_followed_by_an_abort_stores_nothing(harness: ObjectHarness) -> None:
    """A put that is followed by an abort stores nothing."""

    def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        lab.ctx.abort("now")

    with pytest.raises(RoomAborted):
        await perform(harness, step)
    assert harness.stored("lab", "a") == {}


@pytest.mark.parametrize("fault", [Fault.LOSE_STATEMENT, Fault.LOSE_ANSWER])
async def test_114_a_connection_that_is_lost_is_made_again_unnoticed(
    database_url: str, fault: Fault
) -> None:
    """A lost connection is made again and the commit settled; the object notices nothing."""
    async with AsyncExitStack() as stack:
        database = await Database.open(ConnectTarget.from_url(database_url))
        stack.push_async_callback(database.close)
        site = Site(database_url, database, stack)
        proxy = await stack.enter_async_context(FaultProxy(database_url))
        worker = await site.worker(proxy.url)
        writes = await worker.room("room")
        proxy.marker = writes.claim.object_id.uuid.bytes
        proxy.script.append(fault)
        outcome = await commit(worker.committer, writes, {b"a": b"1", b"b": b"2"})
        assert (outcome.result, proxy.struck) == (CommitResult.COMMITTED, [fault])
        assert await site.rows(writes) == {b"a": b"1", b"b": b"2"}
