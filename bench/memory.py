"""`python -m bench.memory`: what a connection and a room cost in memory.

Each case starts a fresh server and lets clients come, some thousand after the other; after each
step it waits until the server has nothing left to do and reads the memory of the whole process
tree (proportional set size; Postgres apart). The price of one is the slope between the first step
and the last, so what the server needs for itself does not count. Then all clients leave, and it is
read once more, when the rooms are released: what is not given back.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.held import TOKEN_SETTING, Held, wait_until_held
from bench.hlc import HlcClock, digits
from bench.idlers import IdlerCrowd, allow_descriptors
from bench.joiner import missing_cells
from bench.measurement import free_port
from bench.messages import Change, broadcast, many_rows
from bench.process import ServerProcess
from bench.servers import PEERS, find_node

COUNTS = (1_000, 2_000, 5_000)
ROWS = 10
WARMING = 200
"""So many come before the first reading: what is made once is made by then."""
REST_SECONDS = 4.0
AWAKE_SECONDS = "3600"
KIB = 1024
_CLOCK = HlcClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is counted.

    Attributes:
        goal_kib: At most so much for each; None where nothing was promised.
        command: Arguments of a server; None for ours.
        settings: Of ours.
        path_of: The room of the client with this number.
        rows: So many the client puts into its room.
        awake: How many instances there are with so many clients.
    """

    name: str
    about: str
    goal_kib: float | None = None
    command: Callable[[int], list[str]] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    path_of: Callable[[int], str] = lambda _number: "idle"
    rows: int = 0
    awake: Callable[[int], int] = lambda _count: 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigure:
    """What one case came to.

    Attributes:
        readings: (how many there were, bytes of the server).
        before_bytes: Of the server before anybody came but a few.
        after_bytes: Of the server when all had left, unless its rooms stay.
        lost: Clients that the server had dropped; it should be none.
    """

    case: Case
    readings: tuple[tuple[int, int], ...]
    before_bytes: int
    after_bytes: int | None
    lost: int

    @property
    def each_bytes(self) -> float:
        """The price of one."""
        (few, little), (many, much) = self.readings[0], self.readings[-1]
        return (much - little) / (many - few)


# A busy machine must not end a lease while it is measured.
_LONG_LEASE = {"STATEROOM_LEASE_SECONDS": "60", "STATEROOM_EVICT_SECONDS": "2"}
_ASLEEP = {**_LONG_LEASE, "STATEROOM_IDLE_SECONDS": "1"}
_AWAKE = {**_LONG_LEASE, "STATEROOM_IDLE_SECONDS": AWAKE_SECONDS}


def _node(script: str, *arguments: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        return [str(find_node()), str(PEERS / script), str(port), *arguments]

    return command


CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case(name="idle", about="connections in one room", goal_kib=8.0, settings=_ASLEEP),
        Case(
            name="hibernated",
            about="hibernated rooms, one connection each",
            goal_kib=12.0,
            settings=_ASLEEP,
            path_of=lambda number: f"memory/room-{number}",
        ),
        Case(
            name="active",
            about=f"active rooms of {ROWS} rows, one connection each",
            goal_kib=20.0,
            settings=_AWAKE,
            path_of=lambda number: f"memory/room-{number}",
            rows=ROWS,
            awake=lambda count: count,
        ),
        Case(name="node-ws", about="connections, Node and ws alone", command=_node("ws_idle.mjs")),
        Case(
            name="node-relay",
            about="connections in one room, TinyBase's server on Node",
            command=_node("ws_server.mjs", "none", "."),
        ),
    )
}


class MemoryRun:
    """One case, on a server whose data and log lie in `folder`."""

    def __init__(self, case: Case, folder: Path, tick: Progress) -> None:
        self._case = case
        folder.chmod(0o711)  # Postgres may run as another user below it
        self._folder = folder
        self._tick = tick
        self._port = free_port()
        self._changes: dict[int, Change] = {}

    async def measure(self, counts: Sequence[int]) -> MemoryFigure:
        """Start the server, let them come and go, stop it."""
        case = self._case
        env = {**case.settings, **TOKEN_SETTING}
        server = ServerProcess(self._command(), port=self._port, log=self._folder / "log", env=env)
        try:
            await server.ready("/readyz" if case.command is None else None)
            return await self._count(server, counts)
        except Exception as error:
            raise RuntimeError(f"{case.name}: {error}; it said {server.last_words()}") from error
        finally:
            await server.stop()

    async def _count(self, server: ServerProcess, counts: Sequence[int]) -> MemoryFigure:
        case, tick = self._case, self._tick
        crowd = IdlerCrowd(self._port, case.path_of, self._message)
        task = tick.add_task(f"{case.name}: {case.about}", total=counts[-1])
        await crowd.grow_to(WARMING, lambda: tick.advance(task))
        before = await self._settled(server, WARMING)
        readings: list[tuple[int, int]] = []
        for count in counts:
            await crowd.grow_to(count, lambda: tick.advance(task))
            readings.append((count, await self._settled(server, count)))
        await self._check_rows()
        lost = crowd.lost
        crowd.shrink_to_none()
        stays = case.awake(WARMING) > 0
        return MemoryFigure(
            case=case,
            readings=tuple(readings),
            before_bytes=before,
            after_bytes=None if stays else await self._settled(server, 0),
            lost=lost,
        )

    async def _settled(self, server: ServerProcess, count: int) -> int:
        """Wait until so many clients are all there is, and read the memory."""
        awake = self._case.awake(count)

        def settled(held: Held) -> bool:
            return (
                held.connections == count and held.awake == awake and bool(count or not held.rooms)
            )

        await asyncio.sleep(REST_SECONDS)
        if self._case.command is None:
            await wait_until_held(self._port, settled)
        await server.tree.settle()
        return server.tree.memory().server

    async def _check_rows(self) -> None:
        """See that what the first and the last said is there."""
        some = [max(self._changes), min(self._changes)] if self._changes else []
        expected = [(self._case.path_of(number), self._changes[number].cells) for number in some]
        if missing := await missing_cells(self._port, expected):
            raise RuntimeError(f"{missing} cells are missing")

    def _command(self) -> list[str]:
        if self._case.command is not None:
            return self._case.command(self._port)
        place = ["--host", "127.0.0.1", "--port", str(self._port)]
        place += ["--data-dir", str(self._folder / "data")]
        return [sys.executable, "-m", "stateroom", "serve", *place]

    def _message(self, number: int) -> bytes:
        if not self._case.rows:
            return b""
        change = self._changes[number] = many_rows(0, self._case.rows, digits(1, 5), _CLOCK)
        return broadcast(change.remainder)


async def measure(
    names: Sequence[str], counts: Sequence[int], tick: Progress
) -> list[MemoryFigure]:
    """Measure these cases, each on a fresh server.

    Raises:
        RuntimeError: A server did not do what it should; with its last words.
    """
    possible = allow_descriptors(max(counts))
    if possible < max(counts):
        raise RuntimeError(f"this process may hold {possible} sockets only: see `ulimit -n`")
    figures = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="memory-", ignore_cleanup_errors=True) as folder:
            run = MemoryRun(CASES[name], Path(folder), tick)
            figures.append(await run.measure(sorted(counts)))
    return figures


def report(figures: Sequence[MemoryFigure]) -> str:
    """The table, as Markdown."""
    lines = [
        "| case | KiB each | goal | server before, MiB | with all | when they had left |",
        "|---|---|---|---|---|---|",
    ]
    for one in figures:
        count, most = one.readings[-1]
        goal = "" if one.case.goal_kib is None else f"{one.case.goal_kib:g}"
        lost = f" ({one.lost} dropped!)" if one.lost else ""
        after = "" if one.after_bytes is None else f"{one.after_bytes / KIB**2:.1f}"
        lines.append(
            f"| {one.case.about}{lost} | {one.each_bytes / KIB:.1f} | {goal} "
            f"| {one.before_bytes / KIB**2:.1f} | {most / KIB**2:.1f} ({count:,}) "
            f"| {after} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES), help="which (all)"
    )
    parser.add_argument(
        "--counts", type=int, nargs="+", default=COUNTS, help="steps; the slope is between two"
    )
    given = parser.parse_args()
    if len(set(given.counts)) < 2 or min(given.counts) < WARMING:
        parser.error(f"at least two different counts of {WARMING} or more are needed")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as tick:
        figures = asyncio.run(measure(given.cases, given.counts, tick))
    sys.stdout.write(f"{report(figures)}\n")


if __name__ == "__main__":
    main()
