"""`python -m bench.failover --kills 300`: how long a room is away when its owner dies or freezes.

Two machines of two workers each share a database; a client keeps asking a room (1 s for an answer,
50 ms before it comes again), its owner is struck, and what counts is the time from the client's
last good answer to its next one. With `--check` the exit status is 1 when a 99th percentile misses
its goal: 1.5 s for a killed worker, the lease and two seconds for the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.faults import SCENARIOS, Scenario, outage
from bench.nodes import Machines
from bench.proxies import HaProxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH_WITHOUT_TERMINAL = 120

Outages = dict[Scenario, list[float]]


async def measure(
    scenarios: list[Scenario],
    *,
    kills: int,
    clusters: int,
    lease_seconds: float,
    seed: int,
    tick: Progress,
) -> Outages:
    """Strike so often in all, on several clusters side by side: most of the time is waiting."""
    shares = [kills // clusters + (number < kills % clusters) for number in range(clusters)]
    runs = [
        _measure_one(
            scenarios[number:] + scenarios[:number],
            kills=share,
            lease_seconds=lease_seconds,
            seed=seed + number,
            tick=tick,
        )
        for number, share in enumerate(shares)
    ]
    parts = await asyncio.gather(*runs)
    return {scenario: [each for part in parts for each in part[scenario]] for scenario in scenarios}


async def _measure_one(
    scenarios: Sequence[Scenario], *, kills: int, lease_seconds: float, seed: int, tick: Progress
) -> Outages:
    """Strike one cluster, each scenario in its turn."""
    chance = random.Random(seed)
    found: Outages = {scenario: [] for scenario in scenarios}
    task = tick.add_task("starting", total=kills)
    with tempfile.TemporaryDirectory(prefix="failover-", ignore_cleanup_errors=True) as folder:
        async with Machines(Path(folder), lease_seconds=lease_seconds) as machines:
            for number in range(kills):
                scenario = scenarios[number % len(scenarios)]
                tick.update(task, description=str(scenario))
                seconds = await outage(
                    machines, scenario, lease_seconds=lease_seconds, chance=chance
                )
                found[scenario].append(seconds)
                tick.advance(task)
    return found


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)]


def table_of(found: Mapping[Scenario, Sequence[float]], *, lease_seconds: float) -> Table:
    """The result for people."""
    title = f"from the last good answer to the next, lease {lease_seconds:g} s, load {_load()}"
    table = Table("scenario", title=title)
    for column in ("kills", "p50 s", "p90 s", "p95 s", "p99 s", "max s", "goal for p99"):
        table.add_column(column, justify="right")
    for scenario, seconds in found.items():
        if seconds:
            told = [f"{percentile(seconds, part):.2f}" for part in (0.5, 0.9, 0.95, 0.99, 1.0)]
            goal = f"< {scenario.goal_seconds(lease_seconds):g}"
            table.add_row(str(scenario), str(len(seconds)), *told, goal)
    return table


def missed(found: Mapping[Scenario, Sequence[float]], *, lease_seconds: float) -> list[str]:
    """The goals that do not hold."""
    return [
        f"{scenario}: p99 is {percentile(seconds, 0.99):.2f} s"
        for scenario, seconds in found.items()
        if seconds and percentile(seconds, 0.99) >= scenario.goal_seconds(lease_seconds)
    ]


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def _chosen(words: Sequence[str], console: Console) -> list[Scenario]:
    chosen = [each for each in SCENARIOS if all(word in str(each) for word in words)]
    if HaProxy.find() is None:
        console.print(f"left out, what goes through a proxy: {HaProxy.missing()}", style="red")
        chosen = [each for each in chosen if not each.proxied]
    return chosen


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many in all (50)")
    parser.add_argument("--clusters", type=int, default=1, help="how many side by side (1)")
    parser.add_argument("--lease", type=float, default=3.0, help="the lease in seconds (3)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--check", action="store_true", help="status 1 when a goal is missed")
    parser.add_argument("words", nargs="*", help="of the scenarios, as `frozen proxy`")
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    scenarios = _chosen(options.words, console)
    if not scenarios:
        parser.error("no scenario has all these words")
    console.print(f"seed {options.seed}", highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, console=console) as tick,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(
            measure(
                scenarios,
                kills=options.kills,
                clusters=options.clusters,
                lease_seconds=options.lease,
                seed=options.seed,
                tick=tick,
            )
        )
    console.print(table_of(found, lease_seconds=options.lease))
    bad = missed(found, lease_seconds=options.lease)
    for line in bad:
        console.print(f"MISSED: {line}", style="red", highlight=False)
    return 1 if options.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
