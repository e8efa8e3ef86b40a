"""Run the simulation for longer than CI does: `python -m tests.simulation --steps N --seed S`."""

import argparse
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.cluster import Cluster
from tests.simulation.variants import BROKEN, Variant
from tests.simulation.world import Violation

_CHUNK = 10_000


def main() -> int:
    """Take the steps; the exit status is 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", choices=sorted(BROKEN), help="break the protocol on purpose")
    options = parser.parse_args()
    cluster = Cluster(options.seed, BROKEN.get(options.variant, Variant)())
    console = Console()
    violation = None
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task(f"seed {options.seed}", total=options.steps)
        try:
            while (left := options.steps - cluster.world.steps) > 0:
                cluster.run(min(_CHUNK, left))
                progress.update(task, completed=cluster.world.steps)
        except Violation as found:
            violation = found
    console.print(summary(cluster))
    if violation is not None:
        console.print(f"[red]violated[/red] {violation}", highlight=False)
    return int(violation is not None)


def summary(cluster: Cluster) -> Table:
    """What happened."""
    table = Table("what", "how often")
    for what, times in sorted(cluster.oracle.seen.items()):
        table.add_row(what, f"{times:,}")
    for kind, times in sorted(cluster.faults.items()):
        table.add_row(f"fault: {kind.replace('_', ' ')}", f"{times:,}")
    table.add_row("calms", f"{cluster.calms:,}")
    table.add_row("longest way back to work, seconds", f"{cluster.longest_calm:.1f}")
    table.add_row("simulated hours", f"{cluster.world.now / 3600:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
