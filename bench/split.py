"""`python -m bench.split`: what commits cost when objects are spread over several databases.

The simulation behind docs/operations/distributed-postgres.md. A hundred rooms that commit without a
pause are spread over one, two and four databases; each has a committer of its own with its own
connection and its own groups, as a worker would have for each database machine. All are on one
machine and one server here, so nothing gets faster: told is what the smaller groups cost in
processor time, worker and Postgres apart, as ratios to one database in turns of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.migration import migrate
from bench.commits import Drive, Seen, database_of, drive_of, turn

ROOMS = 100
SPREADS = (1, 2, 4)


async def databases(url: str, count: int, stack: AsyncExitStack) -> list[Database]:
    """So many migrated databases of one server."""
    first = await Database.open(ConnectTarget.from_url(url))
    stack.push_async_callback(first.close)
    made = [first]
    for number in range(1, count):
        await _create(url, f"part{number}")
        other = url.replace("/postgres?", f"/part{number}?")
        await migrate(other)
        made.append(await Database.open(ConnectTarget.from_url(other)))
        stack.push_async_callback(made[-1].close)
    return made


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"create database {name}")
    finally:
        await connection.close()


async def together(drives: list[Drive], seconds: float) -> Seen:
    """All databases at once, over the same while."""
    seen = await asyncio.gather(*(turn(drive, seconds) for drive in drives))
    rate = sum(each.per_second for each in seen)
    share = [each.per_second / rate for each in seen]
    # Each turn divides the time of the whole process by its own commits only.
    return Seen(
        per_second=rate,
        group=sum(each.group * part for each, part in zip(seen, share, strict=True)),
        worker_us=sum(each.worker_us * part**2 for each, part in zip(seen, share, strict=True)),
        server_us=sum(each.server_us * part**2 for each, part in zip(seen, share, strict=True)),
        p50_ms=statistics.median(each.p50_ms for each in seen),
    )


async def compare(rounds: int, seconds: float, progress: Progress) -> dict[int, list[Seen]]:
    """The spreads in turns."""
    seen: dict[int, list[Seen]] = {spread: [] for spread in SPREADS}
    bar = progress.add_task("rounds", total=rounds)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stateroom-")))
        folder.chmod(0o711)  # noqa: ASYNC240 -- for the user that Postgres runs as
        url = await stack.enter_async_context(database_of(folder))
        parts = await databases(url, max(SPREADS), stack)
        drives = {
            spread: [await drive_of(part, ROOMS // spread, stack) for part in parts[:spread]]
            for spread in SPREADS
        }
        for each in drives.values():
            await together(each, seconds / 2)  # plans are made and caches filled
        for _ in range(rounds):
            for spread in SPREADS:
                seen[spread].append(await together(drives[spread], seconds))
            progress.advance(bar)
    return seen


def told(seen: dict[int, list[Seen]]) -> Table:
    """Medians, and their ratios to one database."""
    table = Table("databases", "rooms in a group", "worker us", "ratio", "Postgres us", "ratio")

    def median(spread: int, what: str) -> float:
        values: list[float] = [getattr(each, what) for each in seen[spread]]
        return statistics.median(values)

    for spread in seen:
        cells = [str(spread), f"{median(spread, 'group'):.0f}"]
        for what in ("worker_us", "server_us"):
            value = median(spread, what)
            cells += [f"{value:.1f}", f"{value / median(1, what):.2f}x"]
        table.add_row(*cells)
    return table


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    with Progress(transient=True) as progress:
        seen = uvloop.run(compare(options.rounds, options.seconds, progress))
    Console().print(told(seen))


if __name__ == "__main__":
    main()
