"""Clients that go silent behind a network that loses everything, and those that do not."""

import asyncio
from typing import Any

import pytest

from app.core.sockets import VANISHED
from tests.cluster.link_proxy import LinkProxy, LinkState, to_port

from .conftest import StartService
from .objects import Speaker
from .patience import until
from .running_service import RunningService, ServerKind
from .wire_socket import PING, PONG, WireSocket, frame

PONG_SECONDS = 2.0


@pytest.fixture(scope="module")
def impatient(start_service: StartService, kind: ServerKind) -> RunningService:
    return start_service(
        kind, idle_seconds=0.2, socket_ping_seconds=0.3, socket_pong_seconds=PONG_SECONDS
    )


async def room_of(service: RunningService, name: str) -> tuple[bool, int]:
    """Whether the object is awake, and how many sockets it has."""

    async def look() -> tuple[bool, int]:
        registry = service.registry
        room: Any = registry._rooms[registry.ids.from_name("speaker", name).uuid]
        return room.awake, len(room.members)

    found: tuple[bool, int] = await service.do(look)
    return found


async def test_a_client_behind_a_dead_network_is_told_as_vanished(
    impatient: RunningService, name: str
) -> None:
    async with LinkProxy(to_port(impatient.port)) as proxy:
        wire = await WireSocket.open(proxy.port, f"/objects/speaker/{name}")
        other = await WireSocket.open(impatient.port, f"/objects/speaker/{name}")
        answering = asyncio.get_running_loop().create_task(answer_pings(other))
        await wire.say("hello")
        assert await wire.read_message() == "hello"
        assert Speaker.ends[name] == []
        proxy.become(LinkState.STALL_BOTH)
        await until(lambda: bool(Speaker.ends[name]))
        ((code, reason, clean),) = Speaker.ends[name]
        assert (code, clean) == (VANISHED, False)
        assert reason
        assert (await room_of(impatient, name))[1] == 1
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def test_pings_keep_a_client_and_let_its_object_sleep(
    impatient: RunningService, name: str
) -> None:
    wire = await WireSocket.open(impatient.port, f"/objects/speaker/{name}")

    async def pinged_asleep() -> bool:
        opcode, payload = await wire.read_frame()
        assert opcode == PING
        await wire.send(frame(PONG, payload))
        return await room_of(impatient, name) == (False, 1)

    await until(pinged_asleep)
    for _ in range(5):
        assert await pinged_asleep()
    await wire.say("still here")
    assert await wire.read_message() == "still here"
    assert Speaker.ends[name] == []


async def answer_pings(wire: WireSocket) -> None:
    """Read on for ever; pings are answered on the way."""
    while True:
        await wire.read_message(patient=True)
