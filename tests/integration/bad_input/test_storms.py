"""Sockets that come and go: storms, half-open handshakes, many rooms, sleeping rooms."""

import asyncio
import random

import pytest

from tests.integration.web.patience import a_moment, until
from tests.integration.web.wire_socket import (
    WireSocket,
    close_frame,
    exchange,
    request_text,
    text_frame,
    upgrade_request,
)

from .attacked_server import AttackedServer
from .conftest import NAMESPACES
from .contents import cells, hashes, receipt
from .witness import witness

STORM_SOCKETS = 2_000
AT_ONCE = 150
ROOMS = 500
TALKERS = 4
TALK_SECONDS = 8.0


async def come_and_go(server: AttackedServer, room: str, chance: random.Random) -> None:
    """One socket of the storm: it comes, perhaps says something, and goes in one of many ways."""
    way = chance.randrange(8)
    target = f"/{room}-{chance.randrange(5)}"
    wire = await WireSocket.dial(server.port)
    request = upgrade_request(target, protocols=["tinybase"] if way == 7 else [])
    if way == 0:  # half a handshake
        wire.write(request[: chance.randrange(1, len(request) - 2)])
        await a_moment(chance.random() / 20)
        wire.vanish()
        return
    wire.write(request)
    if way == 1:  # gone before the answer
        wire.vanish()
        return
    assert (await wire.read_answer()).status == 101
    if way == 2:  # a frame, and gone
        wire.write(text_frame(f'\n["d",3,[[{{}}],[{{"v{chance.randrange(9)}":[1]}}],1]]'))
        wire.vanish()
        return
    if way == 3:  # half a frame
        await wire.send(text_frame("x" * 5_000)[:-100])
    elif way == 4:
        await wire.say('S\n["q",1,""]')
        while '["q",0' not in str(await wire.read_message()):
            pass
        wire.write(close_frame(1000))
    elif way == 7:
        await wire.say('S\n["h",-1,[0,1]]', *(f'S\n["s",-1,[1,"c{n}"]]' for n in range(5)))
    if way % 2:
        wire.vanish()
    else:
        await wire.close()


@pytest.mark.timeout(300)
async def test_a_storm_of_sockets_harms_nobody(
    server: AttackedServer, room: str, heaviness: int
) -> None:
    chance = random.Random(5)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with slots:
            await come_and_go(server, room, chance)

    async with witness(server.port, room) as other, witness(server.port, f"{room}-1") as same:
        await asyncio.gather(*(one() for _ in range(STORM_SOCKETS * heaviness)))
    for pair, where in ((same, "same room"), (other, "other room")):
        print(  # noqa: T201 - a figure for the report
            f"{where}: {pair.changes} changes, median {pair.median_ms:.1f} ms, "
            f"slowest {pair.slowest_ms:.0f} ms"
        )
    assert same.changes > 20


async def test_handshakes_that_stay_half_open_keep_nobody_out(
    server: AttackedServer, room: str
) -> None:
    request = upgrade_request(f"/{room}")
    half = [await WireSocket.dial(server.port) for _ in range(300)]
    for number, wire in enumerate(half):
        wire.write(request[: number % len(request)])
    async with witness(server.port, room) as pair:
        await until(lambda: pair.changes > 20)
    for number, wire in enumerate(half):  # they may still go on
        if number % 10 == 0:
            wire.write(request[number % len(request) :])
            assert (await wire.read_answer()).status == 101


async def test_five_hundred_rooms_open_at_once(server: AttackedServer, room: str) -> None:
    async def visit(number: int) -> None:
        wire = await WireSocket.open(server.port, f"/{room}/{number}")
        assert wire.status == 101
        await wire.say(f'\n["d",3,[[{{}}],[{{"v":[{number}]}}],1]]')
        await receipt(wire)

    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with witness(server.port, room) as pair:
        await asyncio.gather(*(visit(number) for number in range(ROOMS)))
    print(  # noqa: T201 - a figure for the report
        f"{ROOMS} rooms in {loop.time() - begun:.1f} s; "
        f"another room slowest {pair.slowest_ms:.0f} ms"
    )
    answer = await exchange(server.port, request_text("GET", "/readyz"))
    assert answer.status == 200


@pytest.mark.timeout(300)
async def test_rooms_that_fall_asleep_all_the_time_lose_nothing(room: str) -> None:
    server = AttackedServer({**NAMESPACES, "STATEROOM_IDLE_SECONDS": "0.2"})
    try:
        server.start()
        await asyncio.gather(
            *(talk(server, f"{prefix}{room}-{n}", n) for n in range(6) for prefix in ("", "relay/"))
        )
        server.assert_quiet()
    finally:
        server.close()


async def talk(server: AttackedServer, path: str, seed: int) -> None:
    """Some clients talk with pauses, some long enough for the room to fall asleep between."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    wires = [await WireSocket.open(server.port, f"/{path}") for _ in range(TALKERS)]
    heard: list[list[tuple[str, int]]] = [[] for _ in wires]
    said = [0] * TALKERS

    async def listen(index: int) -> None:
        while True:
            sender, _, remainder = str(await wires[index].read_message()).partition("\n")
            if '"said-' in remainder[:8]:
                name, number = remainder.split('"')[1].removeprefix("said-").split("-")
                heard[index].append((name, int(number)))
                assert sender != "S"

    listening = [loop.create_task(listen(index)) for index in range(TALKERS)]
    ends = loop.time() + TALK_SECONDS
    while loop.time() < ends:
        index = chance.randrange(TALKERS)
        for _ in range(chance.choice((1, 1, 3, 20))):
            said[index] += 1
            body = f'[[{{}}],[{{"by-{index}":[{said[index]},"{stamp(said[index])}"]}}],1]'
            await wires[index].say(f'\n["said-{index}-{said[index]}",3,{body}]')
        await a_moment(chance.choice((0.0, 0.0, 0.01, 0.3, 1.4, 2.2)))
    await until(lambda: all(len(h) == sum(said) - said[i] for i, h in enumerate(heard)))
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for index, own in enumerate(heard):
        for other in range(TALKERS):
            numbers = [number for name, number in own if name == str(other)]
            assert numbers == ([] if other == index else list(range(1, said[other] + 1)))
    before = await hashes(server.port, path)
    assert await hashes(server.port, path) == before
    assert await cells(server.port, path) == {}


def stamp(number: int) -> str:
    """An HLC of some day of the past, later for a greater number."""
    digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    counter = "".join(digits[number >> shift & 63] for shift in (18, 12, 6, 0))
    return f"Nn1JUF-{counter}7JQY8"
