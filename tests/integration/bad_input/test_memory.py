"""What an attack takes is given back: the same again and again must not add up."""

import asyncio
import gc

import pytest

from tests.integration.web.patience import a_moment
from tests.integration.web.wire_socket import WireSocket, text_frame

from .attacked_server import AttackedServer
from .contents import receipt
from .mutator import FrameMutator
from .test_large_input import change, pieces, row

MB = 1 << 20
ROUNDS = 4
ALLOWED_GROWTH = 24 * MB


async def one_round(server: AttackedServer, room: str, seed: int) -> None:
    """Large frames, fragments, garbage, a crowd and a slow reader, in rooms of the same names."""
    writer = await WireSocket.open(server.port, f"/{room}")
    rows = ",".join(f'"{number}":[{{"":[{seed}]}}]' for number in range(20_000))
    await writer.say(change(f'"t":[{{{rows}}}]', seed))
    await writer.say(change(row("t", "large", f'"c":["{"x" * (6 * MB)}"]'), seed))
    await receipt(writer)
    crowd = await asyncio.gather(
        *(WireSocket.open(server.port, f"/{room}-{number % 20}") for number in range(100))
    )
    for number, wire in enumerate(crowd):
        wire.write(b"".join(text_frame(text) for text in pieces(number, 1000, 20, "x" * 20_000)))
    slow = await WireSocket.open(server.port, f"/{room}")
    slow.write(text_frame('S\n["all",4,{}]') * 5)
    mutator = FrameMutator(seed)
    garbage = await asyncio.gather(
        *(WireSocket.open(server.port, f"/ephemeral/{room}") for _ in range(50))
    )
    for wire in garbage:
        for frame in mutator.volley():
            wire.write(text_frame(frame))
    await receipt(writer)
    for wire in (*crowd, *garbage, slow, writer):
        wire.vanish()


@pytest.mark.timeout(300)
async def test_repeating_an_attack_takes_no_more_memory(
    mortal_server: AttackedServer, room: str
) -> None:
    server = mortal_server
    taken: list[int] = []
    for number in range(ROUNDS):
        await one_round(server, room, number)
        gc.collect()
        taken.append(server.rss_bytes() // MB)
    print(f"RSS after each round: {taken} MB")  # noqa: T201 - for the report
    await server.rss_below(max(taken[:2]) * MB + ALLOWED_GROWTH)


@pytest.mark.timeout(300)
async def test_the_memory_of_rooms_that_are_left_is_used_again() -> None:
    server = AttackedServer({"STATEROOM_IDLE_SECONDS": "0.3", "STATEROOM_EVICT_SECONDS": "0.5"})
    try:
        server.start()
        taken: list[int] = []
        for number in range(12):  # one would take 16 MB if the one before stayed
            wire = await WireSocket.open(server.port, f"/room-{number}")
            text = "x" * 1_000
            rows = ",".join(f'"{n}":[{{"c":["{text}"]}}]' for n in range(10_000))
            await wire.say(change(f'"t":[{{{rows}}}]'))
            await receipt(wire)
            wire.vanish()
            taken.append(server.rss_bytes() // MB)
            await a_moment(0.5)
        print(f"RSS after each room: {taken} MB")  # noqa: T201 - for the report
        assert taken[-1] < taken[5] + 24
        server.assert_quiet()
    finally:
        server.close()
