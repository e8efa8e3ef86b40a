"""`python -m bench.loading`: does the event loop stand still while a large room is loaded?

A room of 200,000 rows, about 60 MB, is filled, and the server is started anew. Then a client joins
that asks for the replica's hashes and for everything: the room is read from Postgres, its rows
are hashed, and the snapshot is sent. An object in the same worker watches the loop meanwhile
(`bench.pulse`).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.client import HOST, Client, connect
from bench.dialogue import Dialogue
from bench.hlc import HlcClock, digits
from bench.measurement import free_port
from bench.messages import (
    CONTENT_DIFF,
    GET_CONTENT_HASHES,
    GET_TABLE_DIFF,
    TABLE,
    broadcast,
)
from bench.process import ServerProcess
from bench.rows import Better, Figure, Tick

ROWS = 200_000
ROWS_A_MESSAGE = 2_000
ROOM_PATH = "bench/large"
STALL_MS = 20.0
_TEXT = "x" * 44
_ENVIRONMENT = {
    "STATEROOM_NAMESPACES": "tinybase=stateroom.tinybase:TinyBaseRoom,pulse=bench.pulse:Pulse",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One cold join: seconds until the hashes and the last row were there, and the stalls.

    A stall is (seconds that passed, processor seconds of the process meanwhile).
    """

    hashes_seconds: float
    all_seconds: float
    size_bytes: int
    stalls: Sequence[tuple[float, float]]
    cpu_seconds: float


class Asker:
    """The receiver of a client that asks the replica."""

    def __init__(self) -> None:
        self.dialogue = Dialogue()

    def chunk(self, client: Client, data: bytes) -> bool:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver: nothing to take early."""
        return False

    def text(self, client: Client, payload: bytes) -> None:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver."""
        if payload.startswith(b"S\n"):
            self.dialogue.heard(payload)

    def lost(self, client: Client, reason: str) -> None:  # noqa: ARG002 -- part of Receiver
        """Part of Receiver."""
        self.dialogue.fail(reason)


def some_rows(first: int, count: int, clock: HlcClock) -> bytes:
    """Return a ContentDiff with rows of about 300 bytes."""
    rows = {
        f"row-{number:07}": [
            {f"c{cell}": [f"{_TEXT}{number}", clock.next("00001")] for cell in range(4)}
        ]
        for number in range(first, first + count)
    }
    return orjson.dumps([digits(first, 11), CONTENT_DIFF, [[{TABLE: [rows]}], [{}], 1]])


async def fill(port: int, rows: int) -> None:
    """Let a client fill the room, and wait until all of it is committed."""
    asker, clock = Asker(), HlcClock()
    client = await connect(asker, 0, port, ROOM_PATH)
    try:
        for first in range(0, rows, ROWS_A_MESSAGE):
            client.send(broadcast(some_rows(first, ROWS_A_MESSAGE, clock)))
            await asker.dialogue.ask(client, GET_CONTENT_HASHES, "")
    finally:
        client.close()


async def cold_join(server: ServerProcess, rows: int) -> Loaded:
    """Join a room that no process holds, and have it all."""
    await asyncio.to_thread(_pulse, server.port, "start")
    cpu = server.tree.cpu()
    asker = Asker()
    client = await connect(asker, 0, server.port, ROOM_PATH)
    try:
        begun = time.perf_counter()
        hashes = await asker.dialogue.ask(client, GET_CONTENT_HASHES, "")
        tables = await asker.dialogue.ask(client, GET_TABLE_DIFF, {})
    finally:
        client.close()
    stalls = await asyncio.to_thread(_pulse, server.port, "stop")
    cells = len(asker.dialogue.pushed) or sum(
        len(row[0]) for row in tables.body[0][0][TABLE][0].values()
    )
    if cells != rows * 4:
        raise RuntimeError(f"{cells} cells came, not {rows * 4}")
    return Loaded(
        hashes_seconds=hashes.at - begun,
        all_seconds=tables.at - begun,
        size_bytes=asker.dialogue.pushed_bytes + tables.size_bytes,
        stalls=stalls,
        cpu_seconds=(server.tree.cpu() - cpu).server,
    )


def _pulse(port: int, what: str) -> list[tuple[float, float]]:
    with urllib.request.urlopen(f"http://{HOST}:{port}/objects/pulse/a/{what}") as answer:
        return [(passed, used) for passed, used in orjson.loads(answer.read())]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[ServerProcess]:
    """Start the server on the folder's data."""
    port = free_port()
    command = [sys.executable, "-m", "stateroom", "serve", "--port", str(port)]
    command += ["--data-dir", str(folder / "data")]
    server = ServerProcess(command, port=port, log=folder / "server.log", env=_ENVIRONMENT)
    try:
        await server.ready("/readyz")
        yield server
    except Exception as error:
        raise RuntimeError(f"{error}; its last words: {server.last_words()}") from error
    finally:
        await server.stop()


async def measure(rounds: int, tick: Tick) -> list[Figure]:
    """See `bench.rows.Measure`."""
    return await measure_rows(rounds, tick, ROWS)


async def measure_rows(rounds: int, tick: Tick, rows: int) -> list[Figure]:
    """Do the same with so many rows."""
    loaded: list[Loaded] = []
    with tempfile.TemporaryDirectory(prefix="loading-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _open_to_all(folder)
        tick(f"{rows:,} rows are filled in")
        async with serving(folder) as server:
            await fill(server.port, rows)
        for number in range(1, rounds + 1):
            tick(f"a cold join, round {number}")
            async with serving(folder) as server:
                loaded.append(await cold_join(server, rows))
    return figures(loaded)


def figures(loaded: Sequence[Loaded]) -> list[Figure]:
    """Tell the medians; of the stalls the median of the longest ones."""
    longest = [max((stall[1] for stall in each.stalls), default=0.0) * 1e3 for each in loaded]
    passed = [max((stall[0] for stall in each.stalls), default=0.0) * 1e3 for each in loaded]
    over = sum(stall[1] * 1e3 > STALL_MS for each in loaded for stall in each.stalls)
    middle = statistics.median
    size = loaded[0].size_bytes / 1e6
    return [
        Figure(
            name="longest stall while loading",
            value=middle(longest),
            unit="ms",
            note=f"{over} over {STALL_MS:.0f} ms in {len(loaded)} cold joins of {size:.0f} MB; "
            f"{middle(passed):.0f} ms by the clock, time of other processes included",
        ),
        Figure(
            name="cold join: until the hashes",
            value=middle(each.hashes_seconds for each in loaded),
            unit="s",
        ),
        Figure(
            name="cold join: until the last byte",
            value=middle(each.all_seconds for each in loaded),
            unit="s",
        ),
        Figure(
            name="cold join: server CPU",
            value=middle(each.cpu_seconds for each in loaded),
            unit="s",
            better=Better.LOWER,
        ),
    ]


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o711)  # Postgres may run as another user below it


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.loading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=ROWS)
    given = parser.parse_args()

    def tick(what: str) -> None:
        sys.stderr.write(f"{what}\n")

    for figure in asyncio.run(measure_rows(given.rounds, tick, given.rows)):
        sys.stdout.write(f"{figure.name}: {figure.value:.2f} {figure.unit} {figure.note}\n")


if __name__ == "__main__":
    main()
