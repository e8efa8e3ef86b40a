"""Which sockets of this machine's other workers are taken."""

import socket
from collections.abc import AsyncIterator

import pytest

from app.cluster.handed_sockets import HandedSockets
from app.core.handoff import HandoffAnswer, Offer
from app.core.tasks import TaskOwner
from app.testing.harness import ObjectHarness
from tests.unit.cluster.slow_store import Plain

TAKEN, NOT_MINE, NOT_NOW = HandoffAnswer.TAKEN, HandoffAnswer.NOT_MINE, HandoffAnswer.NOT_NOW
_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"plain": Plain}) as made:
        yield made


def offer(harness: ObjectHarness, name: str = "a", *, namespace: str = "plain") -> Offer:
    object_id = str(harness.object_id("plain", name))
    return Offer(namespace=namespace, object_id=object_id, head=b"GET")


def sockets(harness: ObjectHarness) -> HandedSockets:
    made = HandedSockets()
    made.belong_to(harness.registry)
    made.serve(lambda client, _head: client.close())
    return made


async def test_a_socket_of_a_room_that_is_here_is_taken(harness: ObjectHarness) -> None:
    await harness.room("plain", "a")
    assert sockets(harness).answer(offer(harness)) is TAKEN


async def test_a_socket_of_an_object_that_is_not_here_is_for_others(harness: ObjectHarness) -> None:
    assert sockets(harness).answer(offer(harness)) is NOT_MINE
    assert "plain" in harness.registry.namespaces
    assert len(harness.registry) == 0, "it was not claimed for that"


async def test_a_worker_that_drains_takes_none_also_of_rooms_that_are_still_here(
    harness: ObjectHarness,
) -> None:
    await harness.room("plain", "a")
    harness.registry.taking = False
    assert sockets(harness).answer(offer(harness)) is NOT_NOW


async def test_a_room_that_leaves_takes_none(harness: ObjectHarness) -> None:
    room = await harness.room("plain", "a")
    answers: list[HandoffAnswer] = []

    async def then() -> None:
        answers.append(sockets(harness).answer(offer(harness)))

    await harness.registry.hand_over(room.object_id, then)
    assert answers == [NOT_NOW]
    assert sockets(harness).answer(offer(harness)) is NOT_MINE


@pytest.mark.parametrize("what", ["namespace", "id", "nobody serves"])
async def test_what_makes_no_sense_here_is_not_taken(harness: ObjectHarness, what: str) -> None:
    await harness.room("plain", "a")
    made = sockets(harness)
    told = offer(harness, namespace="elsewhere" if what == "namespace" else "plain")
    if what == "id":
        told = Offer(namespace="plain", object_id="00" * 32, head=b"GET")
    if what == "nobody serves":
        made.serve(None)
    assert made.answer(told) is NOT_NOW


async def test_a_socket_that_was_taken_is_served_with_what_was_read_of_it(
    harness: ObjectHarness,
) -> None:
    served: list[tuple[socket.socket, bytes]] = []
    made = HandedSockets()
    made.belong_to(harness.registry)
    made.serve(lambda client, head: served.append((client, head)))
    ours, client = socket.socketpair()
    with ours, client:
        made.adopt(ours, offer(harness))
        assert served == [(ours, b"GET")]


async def test_a_socket_that_nobody_serves_any_more_is_closed(harness: ObjectHarness) -> None:
    made = HandedSockets()
    made.belong_to(harness.registry)
    ours, client = socket.socketpair()
    with ours, client:
        made.adopt(ours, offer(harness))
        assert client.recv(1) == b""
