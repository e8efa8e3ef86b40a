"""Clients that stay in a room for as long as they can, and come back when they are sent away.

The first of each room writes: one change, then a question to the replica, whose answer is the
receipt of the change (architecture, section 5). What was not answered has an unknown end. Nobody
sends anything a second time, so nobody hides a loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bench.client import Client, connect
from bench.dialogue import Dialogue
from bench.hlc import HlcClock, digits
from bench.messages import GET_CONTENT_HASHES, Cells, broadcast, one_cell

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0

_GONE = (OSError, TimeoutError)
_MANY_ROWS = 1 << 40
"""So that every change has a row of its own."""


class Return(NamedTuple):
    """One client's way back, on the clock `time.perf_counter`.

    Attributes:
        lost_at: When its connection had ended.
        back_at: When it was in its room again.
    """

    lost_at: float
    back_at: float


@dataclass(slots=True)
class Register:
    """What everybody has seen.

    Attributes:
        acknowledged: By room: changes with a receipt.
        sent: By room: every change, whatever became of it.
        losses: When each connection ended.
        returns: Every way back.
        reasons: How connections ended.
        refusals: Why a room could not be entered at an attempt.
    """

    acknowledged: dict[str, Cells] = field(default_factory=dict)
    sent: dict[str, Cells] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)


class Resident:
    """One client of one room.

    Args:
        room: Its path.
        index: Its number; the one that writes has 0.
        port: Where it connects, each time.
        register: Where it writes down what it sees.
        clock: Gives the stamps; one for all.
    """

    def __init__(
        self, room: str, index: int, port: int, register: Register, clock: HlcClock
    ) -> None:
        self._room = room
        self._index = index
        self._port = port
        self._register = register
        self._clock = clock
        self._dialogue = Dialogue()
        self._ended = asyncio.Event()
        self._writes = 0
        self._lost_at: float | None = None
        self.inside = asyncio.Event()

    async def live(self, pause_seconds: Callable[[], float], silent: asyncio.Event) -> None:
        """Be in the room until cancelled; the writer writes until `silent`."""
        while True:
            client = await self._enter()
            if self._lost_at is not None:
                self._register.returns.append(Return(self._lost_at, time.perf_counter()))
            self.inside.set()
            try:
                with contextlib.suppress(*_GONE):
                    await self._write_until(pause_seconds, silent, client)
                await self._ended.wait()
            finally:
                self.inside.clear()
                client.close()

    async def _write_until(
        self, pause_seconds: Callable[[], float], silent: asyncio.Event, client: Client
    ) -> None:
        """Write, if this is who writes, until `silent` or the connection has ended."""
        while self._index == 0 and not silent.is_set() and not self._ended.is_set():
            await self._write(client)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause_seconds())

    async def _enter(self) -> Client:
        wait = FIRST_WAIT_SECONDS
        while True:
            self._ended.clear()
            try:
                return await connect(self, self._index, self._port, self._room)
            except _GONE as refusal:
                self._register.refusals[f"{type(refusal).__name__}: {refusal}"[:80]] += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def _write(self, client: Client) -> None:
        self._writes += 1
        change = one_cell(self._writes, _MANY_ROWS, digits(1, 5), self._clock)
        self._register.sent.setdefault(self._room, {}).update(change.cells)
        client.send(broadcast(change.remainder))
        await self._dialogue.ask(client, GET_CONTENT_HASHES, "")
        if not self._ended.is_set():
            self._register.acknowledged.setdefault(self._room, {}).update(change.cells)

    def chunk(self, client: Client, data: bytes) -> bool:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver: nothing to take early."""
        return False

    def text(self, client: Client, payload: bytes) -> None:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver: what the replica answers is a receipt."""
        if payload.startswith(b"S\n"):
            self._dialogue.heard(payload)

    def lost(self, client: Client, reason: str) -> None:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver."""
        self._lost_at = time.perf_counter()
        self._register.losses.append(self._lost_at)
        self._register.reasons[reason.split(" (", 1)[0]] += 1
        self._ended.set()
        self._dialogue.fail(reason)


class Crowd:
    """All clients of all rooms; a context manager that ends them.

    Args:
        rooms: How many.
        clients: How many sockets in each.
        write_seconds: About how often the writer of a room writes.
    """

    def __init__(self, port: int, *, rooms: int, clients: int, write_seconds: float) -> None:
        self.register = Register()
        self.rooms = [f"rolling/{number}" for number in range(rooms)]
        clock = HlcClock()
        self._residents = [
            Resident(room, index, port, self.register, clock)
            for room in self.rooms
            for index in range(clients)
        ]
        self._write_seconds = write_seconds
        self._silent = asyncio.Event()
        self._living: list[asyncio.Task[None]] = []

    async def come(self, tasks: asyncio.TaskGroup, opened: Callable[[], None]) -> None:
        """Let all enter, one after the other, and wait until they are inside."""
        for resident in self._residents:
            self._living.append(tasks.create_task(resident.live(self._pause, self._silent)))
            await resident.inside.wait()
            opened()

    @property
    def inside(self) -> int:
        """How many are in their rooms now."""
        return sum(resident.inside.is_set() for resident in self._residents)

    async def fall_silent(self, seconds: float) -> None:
        """Let nobody write any more, and wait until everybody is inside.

        Raises:
            TimeoutError: Somebody did not come back.
        """
        self._silent.set()
        async with asyncio.timeout(seconds):
            for resident in self._residents:
                await resident.inside.wait()

    def leave(self) -> None:
        """End all of them."""
        for living in self._living:
            living.cancel()

    def _pause(self) -> float:
        return self._write_seconds * random.uniform(0.5, 1.5)
