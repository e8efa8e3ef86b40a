"""Mutated frames through real sockets, many at once, with witnesses in the same and another room.

Each verdict is compared with the pure first gate's. In the end the server is killed, and what it
had answered about its content must still be true.
"""

import asyncio

import pytest

from app.tinybase.fragments import Assembler
from app.tinybase.refusals import Refusal
from app.tinybase.wire import Fragment, parse_frame
from tests.integration.web.wire_socket import (
    BINARY,
    CLOSE,
    TEXT,
    WireSocket,
    close_frame,
    frame,
)

from .attacked_server import AttackedServer
from .contents import hashes
from .mutator import FrameMutator
from .witness import witness

ATTACKERS = 6
FRAMES_PER_ATTACKER = 3_500
MULTIPLEXED_FRAMES = 3_000
MESSAGES_PER_SOCKET = 40
ALLOWED = {
    (1007, "tinybase:14"),
    (1013, "tinybase:15:fragments"),
    (1013, "tinybase:15:channels"),
    (1013, "tinybase:15:socket"),
}


def wire_form(message: str | bytes) -> bytes:
    if isinstance(message, str):
        return frame(TEXT, message.encode())
    return frame(BINARY, message)


class Attacker:
    """Sends mutated frames to one room over one socket after another."""

    def __init__(self, port: int, path: str, seed: int) -> None:
        self.sent = 0
        self.refused = 0
        self.sockets = 0
        self._port = port
        self._path = path
        self._mutator = FrameMutator(seed)

    async def attack(self, frames: int) -> None:
        while self.sent < frames:
            await self._one_socket()

    async def _one_socket(self) -> None:
        """Send frames in one write, until the gate would refuse; see that the server agrees."""
        self.sockets += 1
        wire = await WireSocket.open(self._port, f"/{self._path}")
        assert wire.status == 101
        gate = Assembler(timeout_seconds=60.0)
        verdict: tuple[int, str] | None = None
        data: list[bytes] = []
        while verdict is None and len(data) < MESSAGES_PER_SOCKET:
            for message in self._mutator.volley():
                data.append(wire_form(message))
                verdict = judged(gate, message)
                if verdict is not None:
                    break
        self.sent += len(data)
        mark = f"mark-{self.sockets}"
        tail = [wire_form(f'S\n["{mark}",1,""]')] if verdict is None else []
        await wire.send(b"".join(data + tail))
        if verdict is not None:
            self.refused += 1
            assert await wire.closed() == verdict, data[-1]
        else:
            while f'"{mark}",0,' not in str(await wire.read_message()):
                pass
            wire.write(close_frame(1000))
        await wire.close()


def judged(gate: Assembler, message: str | bytes) -> tuple[int, str] | None:
    text = message if isinstance(message, str) else message.decode("utf-8", "replace")
    try:
        parsed = parse_frame(text)
        if isinstance(parsed, Fragment):
            gate.add(parsed, 0.0)
    except Refusal as refusal:
        return refusal.code, refusal.reason
    return None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("prefix", ["", "relay/"])
async def test_mutated_frames_harm_nobody_and_what_was_answered_outlives_a_kill(
    mortal_server: AttackedServer, room: str, heaviness: int, prefix: str
) -> None:
    server, path = mortal_server, prefix + room
    attackers = [
        Attacker(server.port, path, seed=100 + n + len(prefix) * 50) for n in range(ATTACKERS)
    ]
    async with witness(server.port, path) as same, witness(server.port, f"{path}-other") as other:
        count = FRAMES_PER_ATTACKER * heaviness // 2
        await asyncio.gather(*(attacker.attack(count) for attacker in attackers))
    server.assert_quiet()
    sent = sum(attacker.sent for attacker in attackers)
    refused = sum(attacker.refused for attacker in attackers)
    print(  # noqa: T201 - a figure for the report
        f"{sent} frames, {refused} refused, {sum(a.sockets for a in attackers)} sockets; "
        f"same room {same.changes} changes, median {same.median_ms:.1f} ms, "
        f"slowest {same.slowest_ms:.0f} ms; other {other.changes}, "
        f"{other.median_ms:.1f} ms, {other.slowest_ms:.0f} ms"
    )
    assert sent >= ATTACKERS * count
    assert same.changes > 20
    assert other.changes > 20
    before = await hashes(server.port, path)
    server.kill()
    server.start()
    assert await hashes(server.port, path) == before
    assert before[0] != 0


@pytest.mark.timeout(600)
async def test_mutated_frames_of_multiplexed_sockets_harm_nobody(
    server: AttackedServer, room: str, heaviness: int
) -> None:
    mutator = FrameMutator(seed=7)
    async with witness(server.port, f"{room}/ch") as same, witness(server.port, room):
        sent = 0
        while sent < MULTIPLEXED_FRAMES * heaviness:
            wire = await WireSocket.open(server.port, f"/{room}", protocols=["tinybase"])
            await wire.say('S\n["h",-1,[0,1]]', 'S\n["s",-1,[1,"ch"]]')
            batch = [message for _ in range(12) for message in mutator.wrapped("ch")]
            sent += len(batch)
            wire.write(b"".join(wire_form(message) for message in batch))
            wire.write(wire_form('S\n["end",-1,[0,1]]'))
            end = await until_end(wire)
            assert end is None or end in ALLOWED, batch
            wire.vanish()
    assert same.changes > 10


async def until_end(wire: WireSocket) -> tuple[int, str] | None:
    """Read up to the answer to the last control frame, or to the server's close."""
    while True:
        opcode, payload = await wire.read_frame()
        if opcode == CLOSE:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()
        if payload == b'S\n["end",-1,[0,1]]':
            return None
