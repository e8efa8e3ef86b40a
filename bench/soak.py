"""`make soak MINUTES=60`: everything that can go wrong, for long, and nothing may be lost by it.

Rounds of faults under load on one cluster of several nodes and workers (tests/cluster/chaos), each
judged by its checker, until the time is over. With `--leaks` it is one server alone whose memory,
descriptors and tasks are watched instead; then clients come and go by the ten thousand, with
`--full` a million, each in a room of its own (`bench.churn`). Exit status 1 when anything was
wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from bench.churn import CONNECTS, FULL, watch_for_churn
from bench.leaks import watch_for_leaks
from tests.cluster.chaos import Round, Tally, cluster_in, plan

STRIKES_A_ROUND = 10
NODES = 2
WIDTH_WITHOUT_TERMINAL = 150
COLUMNS: tuple[ProgressColumn, ...] = (
    TextColumn("{task.description}"),
    BarColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


async def soak(folder: Path, *, seconds: float, nodes: int, seed: int, tick: Progress) -> Tally:
    """Run rounds until the time is over; what was found is in the tally."""
    chance = random.Random(seed)
    task = tick.add_task("soak", total=seconds)
    begun = time.perf_counter()

    def tell(text: str) -> None:
        tick.console.print(text, highlight=False, markup=False)
        tick.update(task, completed=min(seconds, time.perf_counter() - begun))

    async with cluster_in(folder, nodes=nodes, tell=tell) as cluster:
        number, schedule = 0, plan(chance)
        while time.perf_counter() - begun < seconds:
            number += 1
            before = len(cluster.tally.violations)
            await Round(cluster, chance).run(list(islice(schedule, STRIKES_A_ROUND)))
            cluster.tally.violations += cluster.new_log_faults()
            for violation in cluster.tally.violations[before:]:
                tell(f"VIOLATION {violation}")
            tell(f"round {number}: {cluster.tally.appends + cluster.tally.changes:,} acknowledged")
        return cluster.tally


def table_of(tally: Tally) -> Table:
    """Each kind of fault: how often, and how soon everything could be written again."""
    table = Table("fault", "times", "back after, median", "longest")
    for fault, seconds in sorted(tally.recoveries.items(), key=lambda pair: pair[0].name):
        ordered = sorted(seconds)
        middle, longest = ordered[len(ordered) // 2], ordered[-1]
        times = str(tally.faults[fault])
        table.add_row(fault.name.lower(), times, f"{middle:.1f} s", f"{longest:.1f} s")
    return table


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--nodes", type=int, default=NODES, help=f"how many (default {NODES})")
    parser.add_argument("--seed", type=int, default=None, help="repeats a schedule of faults")
    parser.add_argument("--leaks", action="store_true", help="one server, watched for leaks")
    parser.add_argument("--full", action="store_true", help=f"with --leaks: {FULL:,} connections")
    given = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    if given.leaks:
        leaks = watch_for_leaks(given.minutes * 60, console, COLUMNS)
        return max(leaks, watch_for_churn(FULL if given.full else CONNECTS))
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    console.print(f"seed {seed}", highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder,
        Progress(*COLUMNS, console=console) as tick,
        asyncio.Runner() as runner,
    ):
        Path(folder).chmod(0o711)  # Postgres may run as another user below it
        running = soak(
            Path(folder), seconds=given.minutes * 60, nodes=given.nodes, seed=seed, tick=tick
        )
        tally = runner.run(running)
    console.print(table_of(tally))
    console.print(str(tally), highlight=False, markup=False)
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
