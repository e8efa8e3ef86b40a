"""A worker whose wall clock is an hour off changes nothing: the database's clock decides."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from app.core.codec import parse_json
from app.tinybase.clock import encode_hlc
from tests.integration.web.wire_socket import WireSocket, exchange, request_text

from .attacked_server import AttackedServer
from .contents import cells, hashes, receipt
from .witness import witness

PROGRAM = str(Path(__file__).with_name("wrong_clock.py"))
MINUTE_MS = 60_000


@pytest.fixture(params=[-3600, 3600], ids=["an hour behind", "an hour ahead"])
def wrong_server(request: pytest.FixtureRequest) -> Iterator[tuple[AttackedServer, int]]:
    server = AttackedServer(program=(PROGRAM, str(request.param)))
    try:
        server.start()
        yield server, request.param
        server.assert_quiet()
    finally:
        server.close()


def right_ms() -> int:
    return int(time.time() * 1000)  # noqa: TID251 - the database's clock is this machine's


def change(cell: str, time_ms: int) -> str:
    hlc = encode_hlc(time_ms, 0, "abcde")
    return f'\n["{cell}",3,[[{{"t":[{{"r":[{{"{cell}":[1,"{hlc}"]}}]}}]}}],[{{}}],1]]'


async def test_stamps_are_believed_up_to_five_minutes_ahead_of_the_database(
    wrong_server: tuple[AttackedServer, int], room: str
) -> None:
    server, seconds = wrong_server
    assert abs(shown_by_log(server) - right_ms() / 1000 - seconds) < 60, "the clock is not wrong"
    wire = await WireSocket.open(server.port, f"/{room}")
    peer = await WireSocket.open(server.port, f"/{room}")
    now = right_ms()
    times = {
        "an hour ago": now - 60 * MINUTE_MS,
        "now": now,
        "in four minutes": now + 4 * MINUTE_MS,
        "in six minutes": now + 6 * MINUTE_MS,
        "in fifty minutes": now + 50 * MINUTE_MS,
        "in an hour": now + 60 * MINUTE_MS,
    }
    for cell, time_ms in times.items():
        await wire.say(change(cell, time_ms))
        assert f'"{cell}"' in str(await peer.read_message())  # relayed in any case
    await receipt(wire)
    found = await cells(server.port, room)
    assert {cell for _, _, cell in found} == {"an hour ago", "now", "in four minutes"}


async def test_rooms_and_leases_go_on_and_a_right_clock_finds_everything(
    wrong_server: tuple[AttackedServer, int], room: str
) -> None:
    server, _ = wrong_server
    async with witness(server.port, room) as pair:
        for _ in range(2):  # longer than a lease
            answer = await exchange(server.port, request_text("GET", "/readyz"))
            assert answer.status == 200
            before = pair.changes
            while pair.changes < before + 90:
                await receipt(await WireSocket.open(server.port, f"/{room}-other"))
    known = await hashes(server.port, room)
    server.kill()
    server._program = ("-m", "stateroom")
    server.start()
    assert await hashes(server.port, room) == known


def shown_by_log(server: AttackedServer) -> float:
    """The wall time of the newest log line, in seconds: the server's own clock."""
    line = server.log.read_text().splitlines()[-1]
    stamp: str = parse_json(line)["time"]
    return datetime.fromisoformat(stamp).timestamp()
