"""The bulk of the mutated frames, against rooms on the twins: the engine and the protocol.

Every verdict is compared with the pure first gate's, a witness keeps writing in the same room,
and in the end what is stored must give the same hashes as what is in memory.
"""

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from app.cluster.namespaces import make_mount
from app.sdk import Request
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from app.tinybase.clock import Clock
from app.tinybase.fragments import Assembler
from app.tinybase.refusals import Refusal
from app.tinybase.replica import Replica
from app.tinybase.room import TinyBaseRoom
from app.tinybase.wire import Fragment, parse_frame

from .mutator import FrameMutator

VOLLEYS = 28_000
ROOM = "tinybase"
TOKEN = "3c7a1e58-witness"
FAULTS = {"object_fault", "task_failed", "room_aborted", "commit_refused"}


class Gate:
    """What the pure gate makes of one socket's frames."""

    def __init__(self) -> None:
        self._assembler = Assembler(timeout_seconds=1.0)

    def verdict(self, frame: str | bytes) -> tuple[int, str] | None:
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        try:
            parsed = parse_frame(text)
            if isinstance(parsed, Fragment):
                self._assembler.add(parsed, 0.0)
        except Refusal as refusal:
            return refusal.code, refusal.reason
        return None


class Room:
    """One room, some attackers, and a witness with a listener."""

    def __init__(self, harness: ObjectHarness, namespace: str) -> None:
        self.harness = harness
        self.namespace = namespace
        self.frames = 0
        self.refused = 0
        self._heard = 0
        self._number = 0

    async def begin(self) -> None:
        self._writer = await self.harness.connect(self.namespace, ROOM)
        self._listener = await self.harness.connect(self.namespace, ROOM)

    async def attacker(self) -> tuple[MemorySocket, Gate]:
        self._number += 1
        socket = MemorySocket()
        object_id = self.harness.object_id(self.namespace, ROOM)
        name = f"attacker-{self._number}"
        socket.attach(await self.harness.registry.connect(object_id, Request(), socket, name))
        for _ in range(4):
            await turn()
        return socket, Gate()

    async def attack(self, volleys: Sequence[list[str | bytes]]) -> None:
        """Send it all over one socket after another; each verdict must be the gate's."""
        socket, gate = await self.attacker()
        for count, volley in enumerate(volleys):
            for frame in volley:
                self.frames += 1
                verdict = gate.verdict(frame)
                socket.say(frame)
                if verdict is not None:
                    await self.until_closed(socket)
                    assert socket.closed == verdict, frame
                    self.refused += 1
                    socket.leave(*verdict)
                    socket, gate = await self.attacker()
                else:
                    assert socket.closed is None, frame
            if count % 50 == 0:
                await self.witness()
                socket.take()
                await self.harness.advance(1.1)  # fragments under way expire, on both sides
                socket.leave()
                socket, gate = await self.attacker()

    async def until_closed(self, socket: MemorySocket) -> None:
        for _ in range(60):
            if socket.closed is not None:
                return
            await turn()

    async def witness(self) -> None:
        """The witness writes; its listener must have heard everything so far, in order."""
        self._number += 1
        self._heard += 1
        stamp = f'{{"{TOKEN}":[{self._heard}]}}'
        self._writer.say(f'\n["{TOKEN}",3,[[{{}}],[{stamp}],1]]')
        await self.harness.settle()
        said = [str(text) for text in self._listener.take() if TOKEN in str(text)]
        said = [text for text in said if text.startswith("connection-")]
        assert len(said) == 1
        assert f'"{TOKEN}":[{self._heard}]' in said[0]
        self._writer.take()
        assert self._writer.closed is None
        assert self._listener.closed is None


@pytest.mark.parametrize("options", ["hub", "relay", "none"])
async def test_mutated_frames_do_what_the_gate_says_and_no_more(options: str) -> None:
    settings = {
        "hub": {"sync": "hub"},
        "relay": {"sync": "relay", "durability": "relaxed"},
        "none": {"durability": "none"},
    }[options]
    mutator = FrameMutator(seed={"hub": 1, "relay": 2, "none": 3}[options])
    mount = make_mount("rooms", TinyBaseRoom, settings)
    with structlog.testing.capture_logs() as logs:
        async with ObjectHarness({"rooms": mount}) as harness:
            room = Room(harness, "rooms")
            await room.begin()
            for _ in range(VOLLEYS // 1_000):
                await room.attack([mutator.volley() for _ in range(1_000)])
            await room.witness()
            await harness.advance(1.0)  # a relaxed room commits within its bound on loss
            if options != "none":
                await assert_stored_is_what_is_shown(harness)
    assert not [line for line in logs if line["event"] in FAULTS]
    assert room.frames > VOLLEYS
    assert 0.1 < room.refused / room.frames < 0.7


async def assert_stored_is_what_is_shown(harness: ObjectHarness) -> None:
    instance = (await harness.room("rooms", ROOM))._residence.instance
    assert isinstance(instance, TinyBaseRoom)
    shown = instance._replica
    assert shown is not None
    mirror = Replica(Clock("-----"))
    rows = sorted(harness.stored("rooms", ROOM).items())
    mirror.load((key.decode(), value[1:]) for key, value in rows)
    assert mirror.content_hashes() == shown.content_hashes()
    assert len(shown.tables) > 10


async def turn() -> None:
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(over.set_result, None)
    await over
