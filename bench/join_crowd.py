"""`python -m bench.join_crowd`: 500 clients join one room of 10 MB at the same moment.

Beside it a bare server writes as many prebuilt bytes to as many sockets, taking turns with ours.
Meanwhile another room of our server goes on, two clients with one message in flight: its times
are taken while nothing else happens, while the 500 join, and while the bare server serves them
(which takes the same share of the machine). Memory is the server's, read all the time, against
what it was when the 500 were connected.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.hlc import HlcClock
from bench.joiner import Joiner
from bench.measurement import free_port
from bench.process import ServerProcess
from bench.room import Room
from bench.rows import Better, Figure, Tick

JOINERS = 500
ROWS = 52_000
ROOM_PATH = "bench/joined"
OTHER_PATH = "bench/other"
ALONE_SECONDS = 3.0
_MOST_SECONDS = 300.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """One crowd: seconds until the first and the last had everything, and what else was seen."""

    first_seconds: float
    seconds: float
    grown_bytes: int
    others_p99_ms: float
    cpu_seconds: float


@asynccontextmanager
async def joiners(port: int, count: int, size: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the process of the joiners and wait until they are connected."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.joiners", str(port), ROOM_PATH, str(count), str(size)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await _line(process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise RuntimeError("the joiners say nothing")
    async with asyncio.timeout(_MOST_SECONDS):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the joiners gave up")
    return line.decode()


async def _go(process: asyncio.subprocess.Process) -> tuple[float, float, int]:
    if process.stdin is None:
        raise RuntimeError("the joiners hear nothing")
    process.stdin.write(b"go\n")
    first, last, size = (await _line(process)).split()
    return float(first), float(last), int(size)


class CrowdRun:
    """One room that is full, and another one that goes on."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._clock = HlcClock()
        self._full = Room(ROOM_PATH, clients=2, rows=ROWS, clock=self._clock)
        self._other = Room(OTHER_PATH, clients=2, rows=200, clock=self._clock)
        self.port = server.port
        self.size_bytes = 0

    async def open(self) -> None:
        """Fill the room; see how large a join is."""
        for room in (self._full, self._other):
            await room.open(self._server.port, replica=True)
            await room.seed()
        await self._server.tree.settle()
        async with joiners(self._server.port, 1, 0) as one:
            self.size_bytes = (await _go(one))[2]
        await self.check()

    async def check(self) -> None:
        """Let a client join that looks at every cell."""
        joined = await Joiner().join(self._server.port, ROOM_PATH)
        faults = [*self._full.ledger.faults, *self._other.ledger.faults]
        if missing := self._full.ledger.missing_from(joined.cells):
            faults.append(f"a late joiner lacked {missing} cells")
        if faults:
            raise RuntimeError(faults[0])

    async def alone(self) -> float:
        """Return the other room's p99 while nothing else happens, in ms."""
        await self._other.run(window=1, senders=1, seconds=ALONE_SECONDS)
        return _p99_ms(self._other)

    async def crowd(self, port: int) -> Crowd:
        """Let the crowd join at a server while the other room goes on."""
        tree = self._server.tree
        async with joiners(port, JOINERS, self.size_bytes) as process:
            await tree.settle()
            before, cpu, most = tree.memory().server, tree.cpu(), 0
            going = asyncio.create_task(_go(process))
            others = asyncio.create_task(self._others_until(going))
            while not going.done():
                most = max(most, tree.memory().server)
                await asyncio.sleep(_LOOK_SECONDS)
            first, last, size = await going
            if size != JOINERS * self.size_bytes:
                raise RuntimeError(f"{size} bytes came, not {JOINERS * self.size_bytes}")
            used = tree.cpu() - cpu
            return Crowd(
                first_seconds=first,
                seconds=last,
                grown_bytes=most - before,
                others_p99_ms=await others,
                cpu_seconds=used.server,
            )

    async def _others_until(self, going: asyncio.Task[tuple[float, float, int]]) -> float:
        times: list[float] = []
        while not going.done():
            await self._other.run(window=1, senders=1, seconds=0.25)
            times += self._other.latencies
        return sorted(times)[len(times) * 99 // 100] * 1e3

    def close(self) -> None:
        """Let everybody leave."""
        self._full.close()
        self._other.close()


def _p99_ms(room: Room) -> float:
    times = sorted(room.latencies)
    return times[len(times) * 99 // 100] * 1e3


@asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[CrowdRun]:
    port = free_port()
    command = [sys.executable, "-m", "stateroom", "serve", "--port", str(port)]
    command += ["--data-dir", str(folder / "data")]
    server = ServerProcess(command, port=port, log=folder / "server.log", env={})
    try:
        await server.ready("/readyz")
        run = CrowdRun(server)
        await run.open()
        yield run
        run.close()
    except Exception as error:
        raise RuntimeError(f"{error}; its last words: {server.last_words()}") from error
    finally:
        await server.stop()


@asynccontextmanager
async def _bare(folder: Path, size: int) -> AsyncIterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.bare_server", str(port), str(size)]
    server = ServerProcess(command, port=port, log=folder / "bare.log", env={})
    try:
        await server.ready(None)
        yield port
    finally:
        await server.stop()


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o711)  # Postgres may run as another user below it


async def measure(rounds: int, tick: Tick) -> list[Figure]:
    """See `bench.rows.Measure`."""
    alone: list[float] = []
    ours: list[Crowd] = []
    bare: list[Crowd] = []
    with tempfile.TemporaryDirectory(prefix="join-crowd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _open_to_all(folder)
        tick("a room of 10 MB is filled")
        async with _servers(folder) as run, _bare(folder, run.size_bytes) as port:
            for number in range(1, rounds + 1):
                tick(f"another room alone, round {number}")
                alone.append(await run.alone())
                tick(f"{JOINERS} joiners, round {number}")
                ours.append(await run.crowd(run.port))
                tick(f"{JOINERS} sockets of a bare server, round {number}")
                bare.append(await run.crowd(port))
            await run.check()
            return _figures(alone, ours, bare, run.size_bytes)


def _figures(
    alone: list[float], ours: list[Crowd], bare: list[Crowd], size_bytes: int
) -> list[Figure]:
    middle = statistics.median
    mine, theirs = middle(c.seconds for c in ours), middle(c.seconds for c in bare)
    before, during = middle(alone), middle(c.others_p99_ms for c in ours)
    beside = middle(c.others_p99_ms for c in bare)
    grown = max(c.grown_bytes for c in ours)
    ratio = middle(one.seconds / two.seconds for one, two in zip(ours, bare, strict=True))
    scatter = f"{mine:.2f} s and {theirs:.2f} s"
    return [
        Figure(name="total time : bare server", value=ratio, unit="x", note=scatter),
        Figure(
            name="memory growth : snapshot",
            value=grown / size_bytes,
            unit="x",
            note=f"{grown:,} of {size_bytes:,} bytes, the most of all rounds",
        ),
        Figure(
            name="p99 of other rooms : before",
            value=during / before,
            unit="x",
            note=f"{before:.2f} ms alone, {during:.2f} ms with the joiners, {beside:.2f} ms "
            "while the bare server serves as many",
        ),
        Figure(
            name="p99 of other rooms beside the bare server",
            value=during / beside,
            unit="x",
            better=Better.LOWER,
            note="how much of that is our server, and not that the machine is full",
        ),
        Figure(
            name="until the first has all", value=middle(c.first_seconds for c in ours), unit="s"
        ),
        Figure(name="server CPU", value=middle(c.cpu_seconds for c in ours), unit="s"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.join_crowd",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()

    def tick(what: str) -> None:
        sys.stderr.write(f"{what}\n")

    for figure in asyncio.run(measure(given.rounds, tick)):
        sys.stdout.write(f"{figure.name}: {figure.value:.2f} {figure.unit} {figure.note}\n")


if __name__ == "__main__":
    main()
