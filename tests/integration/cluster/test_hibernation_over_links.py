"""Rooms that sleep while their clients are connected at another worker."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.core.errors import LeaseLost
from app.room.room import Room
from app.sdk import Connection, DurableObject, Request
from app.testing.memory import MemoryDatabase
from app.testing.sockets import MemorySocket
from tests.integration.cluster.workers import Worker


class Sleeper(DurableObject):
    """Tells how often it woke, and what it remembers of its clients."""

    wakes_on_close = False
    woken = 0

    def on_start(self) -> None:
        type(self).woken += 1

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.attachment = f"came {request.path}"
        connection.tag("far")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "me":
            connection.send(f"{connection.attachment} {sorted(connection.tags)}")
        else:
            self.ctx.broadcast(str(message))


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that real sockets bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real sockets bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Worker, Worker]]:
    database = MemoryDatabase()
    Sleeper.woken = 0
    async with Worker(database, {"c": Sleeper}) as owner, Worker(database, {"c": Sleeper}) as edge:
        yield owner, edge


async def asleep(owner: Worker, edge: Worker, sockets: int = 1) -> tuple[Room, list[MemorySocket]]:
    """A room at its owner with sockets at the edge, fast asleep."""
    room = await owner.registry.room(owner.object_id("c", "x"))
    far = [await edge.connect("c", "x") for _ in range(sockets)]
    await until(lambda: len(room.members) == sockets and room.idle)
    await room.hibernate()
    assert not room.awake
    return room, far


async def test_a_message_over_a_link_wakes_the_room_and_its_answer_comes_back(
    pair: tuple[Worker, Worker],
) -> None:
    room, (far,) = await asleep(*pair)
    far.say("me")
    await until(lambda: far.received)
    assert far.received == ["came /somewhere ['far']"]
    assert (room.awake, Sleeper.woken) == (True, 2)


async def test_somebody_elses_message_reaches_the_sockets_at_the_other_worker(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    _, far = await asleep(owner, edge, 3)
    near = await owner.connect("c", "x")
    near.say("hello")
    await until(lambda: all(socket.received == ["hello"] for socket in far))


async def test_a_client_that_leaves_does_not_wake_the_room_and_is_forgotten(
    pair: tuple[Worker, Worker],
) -> None:
    room, (leaving, staying) = await asleep(*pair, 2)
    leaving.leave()
    await until(lambda: len(room.members) == 1)
    assert (room.awake, Sleeper.woken) == (False, 1)
    staying.say("hello")
    await until(lambda: staying.received == ["hello"])


async def test_when_the_link_dies_a_sleeping_room_loses_its_sockets_and_they_are_told(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    room, far = await asleep(owner, edge, 2)
    (link,) = owner.links._all
    link.close()
    await until(lambda: len(room.members) == 0)
    await until(lambda: all(socket.closed == (1012, "link_broken") for socket in far))
    assert all(socket.let_go_by_object for socket in far)
    assert not room.awake
    again = await edge.connect("c", "x")
    again.say("hello")
    await until(lambda: again.received == ["hello"])


async def test_a_lost_lease_closes_the_sockets_of_a_sleeping_room(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    _, far = await asleep(owner, edge, 2)
    owner.registry.abort_all(LeaseLost())
    await until(lambda: all(socket.closed for socket in far))
    assert {socket.closed for socket in far} == {(1013, "lease_lost")}
    assert all(socket.let_go_by_object for socket in far), "a channel would be brought back"
    assert len(owner.registry) == 0


async def test_a_sleeping_room_that_moves_lets_its_sockets_come_back_at_the_next_owner(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    room, (far,) = await asleep(owner, edge)
    await room.leave(draining=True)
    await until(lambda: far.closed)
    assert far.closed == (1012, "service restart")
    assert far.let_go_by_object
    again = await edge.connect("c", "x")
    again.say("me")
    await until(lambda: again.received)
    assert len(edge.registry) + len(owner.registry) == 1
