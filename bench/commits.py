"""`python -m bench.commits`: what durable commits cost, from one active room to ten thousand.

No sockets and no rooms: sources that have something new to commit as soon as their last commit is
confirmed, on the committer of a worker with the history that `stateroom serve` keeps, and a
Postgres with the settings that it starts, waiting for the disk. Beside it, in the same run and on
the same database, pgbench with one row a transaction, one client and eight.

Rates on a busy machine say little; the processor time of a commit and the number of rooms in a
group do.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import uvloop
from rich.console import Console
from rich.table import Table

from app.core.ids import CommitSeq, ObjectId, WorkerId
from app.core.values import Claim, CommitOutcome, CommitResult, WorkerIdentity, WriteBatch
from app.store import committer as committers
from app.store.committer import PostgresCommitter
from app.store.data_directory import DataDirectory
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.embedded import EmbeddedPostgres
from app.store.leases import PostgresWorkerLeases
from app.store.migration import migrate
from app.store.storage import PostgresObjectStore
from bench import pgbench
from bench.history import KEPT, server_seconds
from bench.rows import Better, Figure, Tick
from tests.doubles.batch_source import Lease

ROOMS = (1, 100, 10_000)
SECONDS = 1.0
VALUE_BYTES = 100
CLAIMS_AT_ONCE = 4
_KEYS = tuple(b"key%02d" % number for number in range(20))


@dataclass(slots=True)
class Drive:
    """Rooms that commit without a pause, and what they have committed."""

    committer: PostgresCommitter
    rooms: list[Busy] = field(default_factory=list)
    commits: int = 0
    groups: int = 0
    taking: bool = False
    running: bool = False
    waits_ms: list[float] = field(default_factory=list)


class Busy:
    """A room that changes one of its twenty values in each commit."""

    __slots__ = ("_begun", "_claim", "_drive", "_expected")

    def __init__(self, claim: Claim, drive: Drive) -> None:
        self._claim = claim
        self._drive = drive
        self._expected = claim.commit_seq
        self._begun = 0.0

    def begin(self) -> None:
        """Have something to commit."""
        self._begun = time.perf_counter()
        self._drive.committer.enqueue(self)

    def take_batch(self) -> WriteBatch:
        """See `BatchSource`."""
        if not self._drive.taking:
            self._drive.taking = True
            self._drive.groups += 1
        number = self._expected
        key = _KEYS[number % len(_KEYS)]
        value = b"%08d" % number + bytes(VALUE_BYTES - 8)
        claim = self._claim
        entries = {key: value}
        return WriteBatch(claim.object_id, claim.epoch, number, False, entries, len(value))  # noqa: FBT003 - a batch's order

    def settle(self, outcome: CommitOutcome) -> None:
        """See `BatchSource`."""
        if outcome.result is not CommitResult.COMMITTED:
            raise RuntimeError(outcome.result.name)
        drive = self._drive
        drive.taking = False
        drive.commits += 1
        self._expected = CommitSeq(outcome.commit_seq)
        if len(drive.waits_ms) < 100_000:  # enough for a median
            drive.waits_ms.append((time.perf_counter() - self._begun) * 1e3)
        if drive.running:
            self.begin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One turn: commits of single rooms, and what each of them cost."""

    per_second: float
    group: float
    worker_us: float
    server_us: float
    p50_ms: float


async def drive_of(database: Database, rooms: int, stack: AsyncExitStack) -> Drive:
    """A worker that has claimed so many rooms."""
    worker_id = WorkerId(uuid4())
    identity = WorkerIdentity(
        worker_id=worker_id, node=str(worker_id), slot=0, boot_id="b", address="", version="0"
    )
    await PostgresWorkerLeases(database).register(identity, lease_seconds=86_400)
    committer = PostgresCommitter(database, worker_id=worker_id, lease=Lease(), history=KEPT)
    await committer.start()
    stack.push_async_callback(committer.close)
    drive = Drive(committer)
    store = PostgresObjectStore(database)
    ids = [database.object_ids.from_name("bench", f"{worker_id}-{n}") for n in range(rooms)]

    async def claim(some: list[ObjectId]) -> None:
        for each in some:
            drive.rooms.append(Busy(await store.claim(each, worker_id), drive))

    await asyncio.gather(*(claim(ids[n::CLAIMS_AT_ONCE]) for n in range(CLAIMS_AT_ONCE)))
    return drive


async def turn(drive: Drive, seconds: float) -> Seen:
    """Let all rooms commit for a while, and wait for the last of them."""
    drive.commits = drive.groups = 0
    drive.waits_ms.clear()
    drive.running = True
    begun, worker, server = time.perf_counter(), time.process_time(), server_seconds()
    for room in drive.rooms:
        room.begin()
    await asyncio.sleep(seconds)
    drive.running = False
    async with asyncio.timeout(60):
        await drive.committer.drained()
    commits = drive.commits
    return Seen(
        per_second=commits / (time.perf_counter() - begun),
        group=commits / drive.groups,
        worker_us=(time.process_time() - worker) / commits * 1e6,
        server_us=(server_seconds() - server) / commits * 1e6,
        p50_ms=statistics.median(drive.waits_ms),
    )


@dataclass(slots=True)
class Results:
    """What all turns saw."""

    of_rooms: dict[int, list[Seen]] = field(default_factory=dict)
    of_pgbench: dict[tuple[str, int], list[pgbench.Commits]] = field(default_factory=dict)

    def median(self, rooms: int, what: str) -> float:
        """The median of a figure over the turns."""
        values: list[float] = [getattr(seen, what) for seen in self.of_rooms[rooms]]
        return statistics.median(values)

    def yardstick(self, clients: int) -> pgbench.Commits:
        """The better of the two scripts."""
        medians = [
            pgbench.Commits(
                per_second=statistics.median(each.per_second for each in seen),
                p50_ms=statistics.median(each.p50_ms for each in seen),
            )
            for (_, count), seen in self.of_pgbench.items()
            if count == clients
        ]
        return max(medians, key=lambda each: each.per_second)


@asynccontextmanager
async def database_of(folder: Path) -> AsyncIterator[str]:
    """A database as `stateroom serve` starts one."""
    with DataDirectory(folder / "data") as directory:
        async with EmbeddedPostgres(directory) as postgres:
            await migrate(postgres.url)
            yield postgres.url


async def compare(rounds: int, tick: Tick, *, rooms: tuple[int, ...], seconds: float) -> Results:
    """Commits of rooms and of pgbench in turns, on one database."""
    results = Results()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stateroom-")))
        folder.chmod(0o711)  # noqa: ASYNC240 -- for the user that Postgres runs as
        url = await stack.enter_async_context(database_of(folder))
        database = await Database.open(ConnectTarget.from_url(url))
        stack.push_async_callback(database.close)
        await stack.enter_async_context(pgbench.tables(url))
        drives = {}
        for count in rooms:
            tick(f"{count} rooms are claimed")
            drives[count] = await drive_of(database, count, stack)
            await turn(drives[count], seconds / 2)  # plans are made and caches filled
        for _ in range(rounds):
            for count, drive in drives.items():
                tick(f"commits of {count} rooms")
                results.of_rooms.setdefault(count, []).append(await turn(drive, seconds))
            for script in pgbench.SCRIPTS:
                for clients in (1, pgbench.MANY_CLIENTS):
                    tick(f"pgbench, {script}, {clients} clients")
                    seen = await pgbench.commits(
                        url, script, clients=clients, seconds=seconds, timed=clients == 1
                    )
                    results.of_pgbench.setdefault((script, clients), []).append(seen)
    return results


async def measure(rounds: int, tick: Tick) -> list[Figure]:
    """The figures for the report: see `bench.rows`."""
    results = await compare(rounds, tick, rooms=ROOMS, seconds=SECONDS)
    figures = []
    for rooms in ROOMS:
        named = {
            "commits a second": ("per_second", "commits/s", Better.HIGHER),
            "rooms in a group": ("group", "rooms", Better.NEITHER),
            "worker CPU of a commit": ("worker_us", "us", Better.LOWER),
            "Postgres CPU of a commit": ("server_us", "us", Better.LOWER),
            "time of a commit, p50": ("p50_ms", "ms", Better.LOWER),
        }
        figures += [
            Figure(
                name=f"{rooms} active rooms: {name}",
                value=results.median(rooms, what),
                unit=unit,
                better=better,
            )
            for name, (what, unit, better) in named.items()
        ]
    one, many = results.yardstick(1), results.yardstick(pgbench.MANY_CLIENTS)
    alone = results.median(1, "p50_ms") / one.p50_ms
    ratio = results.median(ROOMS[1], "per_second") / many.per_second
    figures += [
        Figure(name="a lone commit over pgbench's, p50", value=alone, unit="x"),
        Figure(
            name=f"commits of {ROOMS[1]} rooms over pgbench's with 8 clients",
            value=ratio,
            unit="x",
            better=Better.HIGHER,
        ),
    ]
    return figures


def table_of(results: Results) -> Table:
    """All medians."""
    table = Table("who commits", "commits/s", "in a group", "worker us", "Postgres us", "p50 ms")
    for rooms in results.of_rooms:
        figures = [results.median(rooms, name) for name in Seen.__dataclass_fields__]
        table.add_row(
            f"{rooms} rooms",
            f"{figures[0]:,.0f}",
            f"{figures[1]:.0f}",
            f"{figures[2]:.1f}",
            f"{figures[3]:.1f}",
            f"{figures[4]:.2f}",
        )
    for (script, clients), seen in results.of_pgbench.items():
        rate = statistics.median(each.per_second for each in seen)
        p50 = statistics.median(each.p50_ms for each in seen)
        table.add_row(f"pgbench {script}, {clients}", f"{rate:,.0f}", "1", "", "", f"{p50:.2f}")
    return table


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rooms", type=int, nargs="+", default=list(ROOMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--group", type=int, default=committers.GROUP_ROOMS, help="most rooms")
    options = parser.parse_args()
    committers.GROUP_ROOMS = options.group  # type: ignore[misc] # to see what another bound does
    console = Console()
    work = compare(
        options.rounds,
        lambda text: print(f"  {text}   ", end="\r", file=sys.stderr),
        rooms=tuple(options.rooms),
        seconds=options.seconds,
    )
    console.print(table_of(uvloop.run(work)))


if __name__ == "__main__":
    main()
