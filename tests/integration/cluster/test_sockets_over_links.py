"""Sockets at one worker whose object lives at another: answers by itself, breaches and ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from app.core.sockets import LINK_GONE, NO_GOODBYE
from app.room.room import Room
from app.sdk import Connection
from app.testing.memory import MemoryDatabase
from app.testing.sockets import MemorySocket
from tests.conformance import hall
from tests.conformance.hall import Hall, told
from tests.integration.cluster.workers import SHORT_LEASE_SECONDS, Worker

Pair = tuple[Worker, Worker]


class NextHall(Hall):
    """The same at the other worker, with notes of its own."""

    told: ClassVar[list[tuple[Any, ...]]] = []


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that real sockets bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real sockets bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """The object's owner, and the worker where its clients are."""
    hall.reset()
    Hall.hooks["start"] = lambda self: self.ctx.set_auto_response("ping", "pong")
    database = MemoryDatabase()
    NextHall.told = []
    async with (
        Worker(database, {"hall": Hall}, lease_seconds=SHORT_LEASE_SECONDS) as owner,
        Worker(database, {"hall": NextHall}) as edge,
    ):
        yield owner, edge


async def far_sockets(pair: Pair, count: int = 1) -> tuple[Room, list[MemorySocket]]:
    """A room at its owner, with sockets at the edge that it has met."""
    owner, edge = pair
    room = await owner.registry.room(owner.object_id("hall", "a"))
    far = [await edge.connect("hall", "a") for _ in range(count)]
    await until(lambda: len(told("connect")) == count and room.idle)
    return room, far


async def test_the_owner_answers_by_itself_and_its_object_sleeps_on(pair: Pair) -> None:
    room, (far,) = await far_sockets(pair)
    await room.hibernate()
    far.say("ping")
    await until(lambda: far.received)
    assert far.received == ["pong"]
    assert not room.awake
    assert told("message") == []


@pytest.mark.parametrize("sleeps", [False, True], ids=["awake", "asleep"])
async def test_a_breach_of_the_protocol_at_the_edge_is_heard_by_the_owner(
    pair: Pair, sleeps: bool
) -> None:
    room, (far, _other) = await far_sockets(pair, 2)
    if sleeps:
        await room.hibernate()
    far.leave(1007, "invalid start byte", clean=False)
    await until(lambda: told("close"))
    ((error,),) = told("error")
    assert (error.close_code, str(error)) == (1007, "invalid start byte")
    assert told("close") == [(1007, "invalid start byte", False)]
    assert len(room.members) == 1


async def test_a_client_that_vanishes_at_the_edge_is_heard_of_once(pair: Pair) -> None:
    room, (far,) = await far_sockets(pair)
    await room.hibernate()
    far.vanish()
    await until(lambda: told("close") and room.idle)
    assert told("close") == [tuple(NO_GOODBYE)]
    assert told("error") == []


async def test_a_close_by_the_object_is_one_close_at_the_edge_and_one_event(pair: Pair) -> None:
    def message(_self: Hall, connection: Connection, _text: str) -> None:
        connection.send("last words")
        connection.close(4000, "enough")

    Hall.hooks["message"] = message
    room, (far,) = await far_sockets(pair)
    far.say("x")
    await until(lambda: far.closed)
    assert (far.received, far.closed) == (["last words"], (4000, "enough"))
    far.leave(4000, "enough")
    await until(lambda: told("close") and room.idle)
    assert told("close") == [(4000, "enough", True)]


@pytest.mark.parametrize("sleeps", [False, True], ids=["awake", "asleep"])
async def test_when_the_edge_dies_the_object_hears_once_of_each_of_its_sockets(
    pair: Pair, sleeps: bool
) -> None:
    owner, edge = pair
    room, _ = await far_sockets(pair, 3)
    near = await owner.connect("hall", "a")
    await until(lambda: len(told("connect")) == 4 and room.idle)
    if sleeps:
        await room.hibernate()
    await edge.kill()
    await until(lambda: len(told("close")) >= 3 and room.idle)
    assert told("close") == [tuple(LINK_GONE)] * 3
    assert told("error") == []
    assert len(room.members) == 1
    near.say("ping")
    assert near.received == ["pong"]


async def test_when_the_owner_dies_the_sockets_are_closed_and_nobody_hears_of_it(
    pair: Pair,
) -> None:
    owner, edge = pair
    _, far = await far_sockets(pair, 2)
    await owner.kill()
    await until(lambda: all(socket.closed for socket in far))
    assert {socket.closed for socket in far} == {(1012, "link_broken")}
    for socket in far:
        socket.leave(1012, "link_broken")
    again = await edge.connect("hall", "a")  # waits for the lease of the dead
    again.say("ping")
    again.say("hello")
    await until(lambda: len(NextHall.told) >= 3)
    assert again.received == ["pong"]
    assert [name for name, *_ in NextHall.told] == ["start", "connect", "message"]
