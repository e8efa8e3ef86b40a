"""Rooms that accept and do not get on are found, named once, and counted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
import structlog

from app.core.errors import RoomAborted
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject
from app.testing.harness import ObjectHarness

LEASES = 10.0  # two leases are shorter than that
EVENT_SECONDS = 30.0


class Ledger(DurableObject):
    """Writes what it hears; `wait` goes on when the test says so, and heeds no time-out."""

    gate: ClassVar["asyncio.Future[None] | None"] = None

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        while message == "wait" and self.gate is not None and not self.gate.done():
            try:
                await asyncio.shield(self.gate)
            except asyncio.CancelledError:
                continue
        self.ctx.storage.put("key", message)
        connection.send(message)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Ledger.gate = None
    limits = RoomLimits(event_timeout_seconds=EVENT_SECONDS)
    async with ObjectHarness({"ledger": Ledger}, limits=limits) as made:
        yield made
        _open_gate()
        await made.settle()


def _open_gate() -> None:
    gate = Ledger.gate
    if gate is not None and not gate.done():
        gate.set_result(None)


def told(log: list[Any], event: str) -> list[Any]:
    return [line for line in log if line["event"] == event]


async def test_a_room_whose_commit_does_not_come_is_stalled(harness: ObjectHarness) -> None:
    alice = await harness.connect("ledger", "a")
    harness.committer.hold()
    alice.say("x")
    watchdog = harness.registry.watchdog
    with structlog.testing.capture_logs() as log:
        await harness.advance(LEASES)
        assert watchdog.stalled == 0
        await harness.advance(30.0)
        assert (watchdog.stalled, watchdog.stuck, watchdog.reported) == (1, 0, 1)
    (line,) = told(log, "room_does_not_get_on")
    assert (line["object"], line["trouble"], line["namespace"]) == ("a", "stalled", "ledger")
    assert LEASES < line["seconds"] < LEASES + 3
    with structlog.testing.capture_logs() as log:
        harness.committer.release()
        await harness.advance(2.0)
    assert (watchdog.stalled, watchdog.reported) == (0, 1)
    assert [line["object"] for line in told(log, "room_gets_on")] == ["a"]
    assert alice.received == ["x"]


async def test_a_busy_room_that_commits_all_the_time_is_not_suspected(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("ledger", "a")
    harness.committer.hold()
    for number in range(60):
        alice.say(str(number))
        await harness.settle()
        harness.committer.settle()
        harness.committer.take()  # something is in flight at each look
        await harness.advance(1.0)
    assert harness.registry.watchdog.reported == 0


async def test_each_stall_of_each_room_is_told_once(harness: ObjectHarness) -> None:
    sockets = [await harness.connect("ledger", name) for name in "abc"]
    watchdog = harness.registry.watchdog
    with structlog.testing.capture_logs() as log:
        for _ in range(2):
            harness.committer.hold()
            for socket in sockets[:2]:
                socket.say("x")
            await harness.advance(20.0)
            assert watchdog.stalled == 2
            harness.committer.release()
            await harness.advance(2.0)
            assert watchdog.stalled == 0
    assert [line["object"] for line in told(log, "room_does_not_get_on")] == ["a", "b"] * 2
    assert (watchdog.reported, harness.counted["rooms_stalled"]) == (4, 4)


async def test_an_event_that_heeds_no_time_out_is_stuck(harness: ObjectHarness) -> None:
    alice = await harness.connect("ledger", "a")
    bob = await harness.connect("ledger", "b")
    Ledger.gate = asyncio.get_running_loop().create_future()
    alice.say("wait")
    alice.say("after it")
    watchdog = harness.registry.watchdog
    await harness.advance(2 * EVENT_SECONDS)
    assert watchdog.stuck == 0, "a start and an event may take that long"
    await harness.advance(EVENT_SECONDS)
    assert (watchdog.stuck, watchdog.stalled, watchdog.reported) == (1, 0, 1)
    assert harness.counted["rooms_stuck"] == 1
    bob.say("x")
    await harness.settle()
    assert bob.received == ["x"]
    _open_gate()
    await harness.advance(2.0)
    assert watchdog.stuck == 0
    assert alice.received == ["wait", "after it"]


async def test_a_room_with_many_short_events_is_not_stuck(harness: ObjectHarness) -> None:
    alice = await harness.connect("ledger", "a")
    for _ in range(100):
        alice.say("x")
        await harness.advance(1.0)
    assert harness.registry.watchdog.reported == 0


async def test_a_room_that_was_thrown_away_is_forgotten(harness: ObjectHarness) -> None:
    alice = await harness.connect("ledger", "a")
    harness.committer.hold()
    alice.say("x")
    await harness.advance(20.0)
    room = harness.live_room("ledger", "a")
    assert room is not None
    room.abort(RoomAborted())
    await harness.advance(1.0)
    assert harness.registry.watchdog.stalled == 0
    bob = await harness.connect("ledger", "a")
    bob.say("y")
    await harness.advance(5.0)
    assert harness.registry.watchdog.stalled == 0, "the next room has its own time"


async def test_without_a_lease_nobody_is_suspected(harness: ObjectHarness) -> None:
    alice = await harness.connect("ledger", "a")
    harness.committer.hold()
    alice.say("x")
    await harness.settle()
    watchdog = harness.registry.watchdog
    for second in range(30):
        lives = [room.life for room in harness.registry.rooms]
        watchdog.look(lives, now=1_000.0 + second, speaking=False)
    assert watchdog.reported == 0
    for second in range(30):
        lives = [room.life for room in harness.registry.rooms]
        watchdog.look(lives, now=1_030.0 + second, speaking=True)
    assert watchdog.reported == 1, "what was suspected for nothing is suspected now"
