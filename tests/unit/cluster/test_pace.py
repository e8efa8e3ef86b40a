"""Rooms leave at a pace: some a second, some at a time, and all before the deadline."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from app.cluster.pace import Departures, Pace
from app.core.tasks import TaskOwner
from app.room.room import Room
from app.testing.clock import FakeClock

_tasks = TaskOwner("test")


@dataclass
class Door:
    """Notes who leaves; a held room stays on its way until the test lets it go."""

    clock: FakeClock = field(default_factory=FakeClock)
    left: list[tuple[float, int]] = field(default_factory=list)
    holds: dict[int, asyncio.Future[None]] = field(default_factory=dict)

    def leave(self, room: Any) -> "asyncio.Task[object]":
        self.left.append((round(self.clock.monotonic() - 1_000, 3), len(room.members)))
        return _tasks.start(self._go(len(room.members)), name="leave")

    async def _go(self, number: int) -> None:
        if (held := self.holds.get(number)) is not None:
            await held

    def hold(self, *numbers: int) -> None:
        loop = asyncio.get_running_loop()
        self.holds = {number: loop.create_future() for number in numbers}

    async def wait(self, seconds: float) -> None:
        """Let time pass in small steps."""
        await settle()
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)
            await settle()


async def settle() -> None:
    for _ in range(20):
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future


def rooms(count: int) -> list[Room]:
    """Rooms with 0, 1, 2, ... sockets; their number of sockets is their name here."""

    @dataclass
    class Stub:
        members: range

    return [cast("Room", Stub(range(number))) for number in range(count)]


def start(
    door: Door, pace: Pace, count: int, within_seconds: float | None = None
) -> "asyncio.Task[None]":
    departures = Departures(door.leave, clock=door.clock, pace=pace)
    return _tasks.start(departures.run(rooms(count), within_seconds=within_seconds), name="run")


async def test_so_many_rooms_leave_in_a_second() -> None:
    door = Door()
    running = start(door, Pace(rooms_per_second=20), 50)
    await door.wait(1.0)
    assert 29 <= len(door.left) <= 31, "a first burst of ten, then twenty in a second"
    await door.wait(1.1)
    await running
    assert len(door.left) == 50


async def test_a_handful_leaves_at_once() -> None:
    door = Door()
    await start(door, Pace(rooms_per_second=1), 10)
    assert {at for at, _ in door.left} == {0.0}


async def test_those_with_the_most_sockets_go_first() -> None:
    door = Door()
    running = start(door, Pace(rooms_per_second=100), 30)
    await door.wait(1.0)
    await running
    assert [number for _, number in door.left] == list(reversed(range(30)))


@pytest.mark.parametrize(
    ("count", "within_seconds", "rate"),
    [(100, None, 50.0), (100, 10.0, 50.0), (1_000, 10.0, 200.0), (10, 0.0, 500.0)],
)
def test_the_deadline_may_ask_for_more(
    count: int, within_seconds: float | None, rate: float
) -> None:
    assert Pace(rooms_per_second=50).rate(count, within_seconds) == rate


async def test_all_have_begun_by_half_of_the_time_there_is() -> None:
    door = Door()
    running = start(door, Pace(rooms_per_second=1), 400, within_seconds=4.0)
    await door.wait(2.1)
    await running
    assert len(door.left) == 400


async def test_only_so_many_are_on_their_way_at_a_time() -> None:
    door = Door()
    door.hold(*range(50))
    running = start(door, Pace(rooms_per_second=10_000, at_once=4), 20)
    await door.wait(0.5)
    assert len(door.left) == 4
    door.holds[19].set_result(None)
    door.holds[18].set_result(None)
    await door.wait(0.1)
    assert len(door.left) == 6
    for held in door.holds.values():
        if not held.done():
            held.set_result(None)
    await door.wait(0.1)
    await running


async def test_rooms_that_take_long_do_not_hold_up_the_others() -> None:
    door = Door()
    door.hold(19, 18, 17, 16)
    running = start(door, Pace(rooms_per_second=10_000, at_once=4), 20)
    await door.wait(0.9)
    assert len(door.left) == 4
    await door.wait(0.3)
    assert len(door.left) == 20
    assert not running.done(), "it waits for all of them"
    for held in door.holds.values():
        held.set_result(None)
    await running
    assert door.clock.pending == 0


async def test_no_rooms_are_gone_at_once() -> None:
    door = Door()
    await start(door, Pace(), 0)
    assert door.left == []
