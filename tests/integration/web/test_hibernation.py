"""Rooms fall asleep between, and even while, messages come; no client notices."""

import asyncio
import random
from typing import Any

import pytest

from .conftest import StartService
from .objects import Speaker
from .patience import a_moment
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket

SECONDS = 3.0


async def put_to_sleep(service: RunningService, namespace: str, name: str) -> bool:
    """Ask a room to rest; whether its instance is gone now."""

    async def rest() -> bool:
        registry = service.registry
        room: Any = registry._rooms.get(registry.ids.from_name(namespace, name).uuid)
        await room.hibernate()
        return not room.awake

    found: bool = await service.do(rest)
    return found


async def test_a_room_that_is_put_to_sleep_all_the_time_loses_nothing(
    service: RunningService, name: str
) -> None:
    chance = random.Random(1)
    loop = asyncio.get_running_loop()
    wires = [await WireSocket.open(service.port, f"/{name}") for _ in range(3)]
    said = [0, 0, 0]
    heard: list[list[str]] = [[], [], []]

    async def listen(index: int) -> None:
        while True:
            message = str(await wires[index].read_message())
            if '"said-' in message:
                heard[index].append(message.split('"')[1])

    listening = [loop.create_task(listen(index)) for index in range(3)]
    slept = 0
    ends = loop.time() + SECONDS
    while loop.time() < ends or not slept:
        index = chance.randrange(3)
        for _ in range(chance.choice((1, 2, 30))):
            said[index] += 1
            body = f'[[{{}}],[{{"by-{index}":[{said[index]}]}}],1]'
            await wires[index].say(f'\n["said-{index}-{said[index]}",3,{body}]')
        await a_moment(chance.choice((0.0, 0.002, 0.02)))
        slept += await put_to_sleep(service, "tinybase", name)
    while any(len(own) < sum(said) - said[index] for index, own in enumerate(heard)):
        await a_moment(0.01)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for index, own in enumerate(heard):
        for other in {0, 1, 2} - {index}:
            words = [word for word in own if word.startswith(f"said-{other}-")]
            assert words == [f"said-{other}-{number + 1}" for number in range(said[other])]


async def test_an_object_hears_everything_in_order_over_its_sleep(
    service: RunningService, name: str
) -> None:
    wire = await WireSocket.open(service.port, f"/objects/speaker/{name}")
    texts = [f"message {number}" for number in range(300)]
    sending = asyncio.get_running_loop().create_task(say_slowly(wire, texts))
    heard: list[str | bytes] = []
    while len(heard) < len(texts):
        heard.append(await wire.read_message())
        if len(heard) % 5 == 0:
            await put_to_sleep(service, "speaker", name)
    await sending
    assert heard == texts
    assert Speaker.heard[name] == texts


async def say_slowly(wire: WireSocket, texts: list[str]) -> None:
    for text in texts:
        await wire.say(text)
        await a_moment(0.001)


@pytest.fixture(scope="module")
def idle_service(start_service: StartService, kind: ServerKind) -> RunningService:
    return start_service(kind, idle_seconds=0.2)


async def test_idle_rooms_fall_asleep_by_themselves(
    idle_service: RunningService, name: str
) -> None:
    service = idle_service
    wire = await WireSocket.open(service.port, f"/objects/speaker/{name}")
    await wire.say("first")
    assert await wire.read_message() == "first"
    registry = service.registry

    async def awake() -> bool:
        return bool(registry._rooms[registry.ids.from_name("speaker", name).uuid].awake)

    while await service.do(awake):
        await a_moment(0.05)
    await wire.say("second")
    assert await wire.read_message() == "second"
