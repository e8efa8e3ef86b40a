"""`python -m bench.soak --leaks`: one server of ours under mixed load for long, with kills.

Waves of rooms come and go: clients join, fill tables, chatter and leave; some are rude. At the end
of each wave memory, descriptors and tasks are read. Now and then the whole process tree is killed
(SIGKILL, Postgres too) and started on the same data, and every cell that had been delivered must be
there. Exit status 1 when something grew beyond its bound, was lost, or went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table

from bench.census import Census, growth_of, take_census
from bench.client import Client, connect
from bench.hlc import HlcClock
from bench.joiner import missing_cells
from bench.measurement import free_port
from bench.process import ServerProcess
from bench.room import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOMS_A_WAVE = 24
ROOM_NAMES = 120
CLIENTS_A_ROOM = 4
ROWS = 25
RUDE_CLIENTS = 8
WAVE_SECONDS = 2.0
LIVES = 3
SETTINGS = {
    "STATEROOM_IDLE_SECONDS": "1",
    "STATEROOM_EVICT_SECONDS": "1",
    "STATEROOM_LEASE_SECONDS": "20",
    "STATEROOM_LOG_LEVEL": "warning",
}
RUDE_FRAMES = (b"no line feed", b"\n[1,2]", b'\n["x",9,{}]', b"\n" + b"[" * 5000)
MIB = 1 << 20


@dataclass(slots=True)
class Life:
    """What was seen between a start of the server and its end."""

    waves: int = 0
    messages: int = 0
    lost_cells: int = 0
    readings: list[Census] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Rude:
    """The receiver of clients that misbehave; being thrown out is what they are after."""

    def chunk(self, client: Client, data: bytes) -> bool:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver."""
        return True

    def text(self, client: Client, payload: bytes) -> None:
        """Part of Receiver."""

    def lost(self, client: Client, reason: str) -> None:
        """Part of Receiver."""


class Soak:
    """One run. The server's data and log lie in `folder`."""

    def __init__(self, folder: Path, *, seconds: float, tick: Progress) -> None:
        self._folder = folder
        self._seconds = seconds
        self._tick = tick
        self._answer = folder / "tasks"
        self._clock = HlcClock()
        self._process: ServerProcess | None = None
        self._wave = 0

    async def run(self) -> list[Life]:
        """Let the server live and be killed until the time is over."""
        task = self._tick.add_task("soak", total=self._seconds)
        begun = time.perf_counter()
        lives: list[Life] = []
        try:
            for number in range(LIVES):
                end = begun + self._seconds * (number + 1) / LIVES
                life = Life()
                lives.append(life)
                process = await self._start()
                while time.perf_counter() < end and not life.faults:
                    rooms = await self._one_wave(life, process)
                    self._tick.update(task, completed=time.perf_counter() - begun)
                    if time.perf_counter() >= end or life.faults:
                        await self._kill_and_look(life, process, rooms)
                if (growth := growth_of(life.readings)) is not None:
                    life.faults += growth.faults()
        finally:
            if self._process is not None:
                await self._process.stop()
        return lives

    async def _start(self) -> ServerProcess:
        """Return the server; start it if there is none."""
        if self._process is not None:
            return self._process
        port, data = free_port(), self._folder / "data"
        command = [sys.executable, "-m", "bench.watched", str(self._answer), "serve"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data)]
        self._process = ServerProcess(command, port=port, log=self._folder / "log", env=SETTINGS)
        await self._process.ready("/readyz")
        return self._process

    async def _one_wave(self, life: Life, process: ServerProcess) -> list[Room]:
        port = process.port
        rooms = []
        for _ in range(ROOMS_A_WAVE):
            self._wave += 1
            path = f"soak/{self._wave * 37 % ROOM_NAMES}"
            rooms.append(Room(path, clients=CLIENTS_A_ROOM, rows=ROWS, clock=self._clock))
        await asyncio.gather(*(room.open(port, replica=True) for room in rooms))
        await asyncio.gather(*(room.seed() for room in rooms))
        chatter = [room.run(window=2, senders=2, seconds=WAVE_SECONDS) for room in rooms]
        await asyncio.gather(*chatter, _be_rude(port))
        life.waves += 1
        life.messages += sum(len(room.latencies) for room in rooms)
        life.faults += [f"{room.path}: {each}" for room in rooms for each in room.ledger.faults]
        life.readings.append(await take_census(process, self._answer))
        for room in rooms:
            room.close()
        return rooms

    async def _kill_and_look(self, life: Life, process: ServerProcess, rooms: list[Room]) -> None:
        await process.kill()
        self._process = None
        process = await self._start()
        expected = [(room.path, room.ledger.cells) for room in rooms]
        life.lost_cells = await missing_cells(process.port, expected)
        if life.lost_cells:
            life.faults.append(f"{life.lost_cells} delivered cells were lost by the kill")


async def _be_rude(port: int) -> None:
    """Say what no client may say, or nothing at all, and vanish."""
    for number in range(RUDE_CLIENTS):
        with contextlib.suppress(ConnectionError):
            client = await connect(Rude(), number, port, f"soak/rude-{number % 2}")
            client.send(RUDE_FRAMES[number % len(RUDE_FRAMES)])
            await asyncio.sleep(WAVE_SECONDS / RUDE_CLIENTS)
            client.close()


def table_of(lives: list[Life]) -> Table:
    """The result for people: a row for each life, middle third against last third."""
    table = Table(
        "life", "waves", "messages", "memory MiB", "descriptors", "tasks", "lost", "faults"
    )
    for number, life in enumerate(lives, 1):
        growth = growth_of(life.readings)
        told = ["too short"] * 3
        if growth is not None:
            one, two = growth.before, growth.after
            told = [
                f"{one.memory_bytes / MIB:.1f} -> {two.memory_bytes / MIB:.1f}",
                f"{one.descriptors} -> {two.descriptors}",
                f"{one.tasks} -> {two.tasks}",
            ]
        faults = "; ".join(life.faults) or "none"
        counts = (str(number), str(life.waves), f"{life.messages:,}")
        table.add_row(*counts, *told, str(life.lost_cells), faults)
    return table


def watch_for_leaks(seconds: float, console: Console, bar: Sequence[ProgressColumn]) -> int:
    """Run for so long, print what was found, and return the exit status."""
    with (
        tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder,
        Progress(*bar, console=console) as tick,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        Path(folder).chmod(0o711)  # an embedded Postgres may run as another user below it
        lives = runner.run(Soak(Path(folder), seconds=seconds, tick=tick).run())
    console.print(table_of(lives))
    return 1 if any(life.faults for life in lives) else 0
