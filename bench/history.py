"""`python -m bench.history`: what keeping history costs a commit.

One committer without history and one with, on the same database, in turns of a fraction of a
second: first one room that commits again and again, then many rooms whose commits go in groups.
Every commit writes one small value over another one, so with history each keeps one value. Told
are the time of a commit and the processor time of Postgres for it, medians over the turns, with
the ratio. The database is one of its own that is thrown away; `--safe` lets it wait for the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
from rich.console import Console
from rich.table import Table

from app.core.history import NO_HISTORY, HistoryRule
from app.core.ids import WorkerId
from app.core.values import CommitResult, WorkerIdentity
from app.store.committer import PostgresCommitter
from app.store.data_directory import DataDirectory
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.embedded import EmbeddedPostgres
from app.store.leases import PostgresWorkerLeases
from app.store.migration import migrate
from app.store.storage import PostgresObjectStore
from tests.doubles.batch_source import Lease, Writes

KEPT = HistoryRule(seconds=604_800, size_bytes=256 << 20)
RULES = {"without": NO_HISTORY, "with": KEPT}
FAST = {"fsync": "off", "synchronous_commit": "off"}


@dataclass(slots=True)
class Side:
    """A worker with its rooms, and what was measured with it."""

    committer: PostgresCommitter
    rooms: list[Writes]
    wall_us: list[float] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)


async def side(database: Database, rule: HistoryRule, rooms: int, stack: AsyncExitStack) -> Side:
    """Make a worker that commits by a rule."""
    worker_id = WorkerId(uuid4())
    identity = WorkerIdentity(
        worker_id=worker_id, node=str(worker_id), slot=0, boot_id="b", address="", version="0"
    )
    await PostgresWorkerLeases(database).register(identity, lease_seconds=86_400)
    committer = PostgresCommitter(database, worker_id=worker_id, lease=Lease(), history=rule)
    await committer.start()
    stack.push_async_callback(committer.close)
    store = PostgresObjectStore(database)
    names = [f"{worker_id}-{number}" for number in range(rooms)]
    ids = [database.object_ids.from_name("bench", name) for name in names]
    return Side(committer, [Writes(await store.claim(each, worker_id)) for each in ids])


async def turn(measured: Side, commits: int, size: int) -> None:
    """Commit in all rooms so often, and note what one commit of one room took."""
    before = server_seconds()
    began = time.perf_counter()
    for number in range(commits):
        value = b"%08d" % number + bytes(size - 8)
        for room in measured.rooms:
            measured.committer.enqueue(room.put({b"key%02d" % (number % 20): value}))
        for room in measured.rooms:
            outcome = await room.answer(0)
            if outcome.result is not CommitResult.COMMITTED:
                raise RuntimeError(outcome.result.name)
        for room in measured.rooms:
            room.outcomes.clear()
            room.taken.clear()
    each = commits * len(measured.rooms)
    measured.wall_us.append((time.perf_counter() - began) / each * 1e6)
    measured.server_us.append((server_seconds() - before) / each * 1e6)


def server_seconds() -> float:
    """Processor time of every process of the database so far, those that ended aside."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        total += times.user + times.system
    return total


async def measure(database: Database, rooms: int, arguments: argparse.Namespace) -> dict[str, Side]:
    """Both sides in turns."""
    async with AsyncExitStack() as stack:
        sides = {name: await side(database, rule, rooms, stack) for name, rule in RULES.items()}
        commits = max(1, arguments.commits // rooms)
        for number in range(arguments.turns + 1):
            for measured in sorted(sides.values(), key=id, reverse=bool(number % 2)):
                await turn(measured, commits, arguments.size)
                if number == 0:  # plans are made and caches filled
                    measured.wall_us.clear()
                    measured.server_us.clear()
        return sides


def row(what: str, sides: dict[str, Side], figure: str) -> list[str]:
    """One line of the table: medians, and the median of the ratios of each turn."""
    without, kept = (getattr(sides[name], figure) for name in ("without", "with"))
    ratio = statistics.median(b / a for a, b in zip(without, kept, strict=True) if a)
    return [
        what,
        f"{statistics.median(without):.0f}",
        f"{statistics.median(kept):.0f}",
        f"{ratio:.2f}",
    ]


async def run(url: str, arguments: argparse.Namespace) -> Table:
    """Measure on a database."""
    table = Table("a commit of one room, microseconds", "without", "with history", "ratio")
    target = ConnectTarget.from_url(url)
    await migrate(url)
    database = await Database.open(target)
    try:
        for rooms in arguments.rooms:
            sides = await measure(database, rooms, arguments)
            table.add_row(*row(f"{rooms} rooms: time", sides, "wall_us"))
            table.add_row(*row(f"{rooms} rooms: processor of Postgres", sides, "server_us"))
    finally:
        await database.close()
    return table


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rooms", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--commits", type=int, default=1_000, help="of all rooms in one turn")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--size", type=int, default=100, help="bytes of a value")
    parser.add_argument("--safe", action="store_true", help="wait for the disk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stateroom-") as folder:
        Path(folder).chmod(0o711)  # for the user that Postgres runs as, if we are root
        with DataDirectory(Path(folder) / "data") as directory:
            Console().print(measured_in(directory, arguments))


def measured_in(directory: DataDirectory, arguments: argparse.Namespace) -> Table:
    """Start a database, measure, and stop it."""
    postgres = EmbeddedPostgres(directory, settings={} if arguments.safe else FAST)
    try:
        url = asyncio.run(postgres.start())
        return asyncio.run(run(url, arguments))
    finally:
        asyncio.run(postgres.stop())


if __name__ == "__main__":
    main()
