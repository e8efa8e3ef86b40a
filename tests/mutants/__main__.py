"""Run the suite against every mutant: `python -m tests.mutants [NAME ...]`.

First the tests that are to catch them run on the real code and must be green; then each mutant
runs its own, up to the first failure, and must be red. Ends with status 1 when a mutant survived.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app import BUILD
from app.core.clock import SystemClock
from app.native import Build
from tests.mutants.registry import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
GREEN = 0
RED = 1  # pytest's status when tests ran and some failed; anything else is no verdict
WIDTH_WITHOUT_TERMINAL = 160


class Verdict(NamedTuple):
    """How a run of some tests ended."""

    mutant: str
    status: int
    seconds: float
    last_line: str

    @property
    def colour(self) -> str:
        """Tests that cannot even be set up, or crash, are no verdict."""
        if self.status == GREEN:
            return "green"
        return "red" if self.status == RED and " failed" in self.last_line else "no verdict"


def run_tests(mutant: str, tests: tuple[str, ...], *options: str) -> Verdict:
    """Run pytest in a process of its own."""
    clock = SystemClock()
    begun = clock.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""]
    return Verdict(mutant, done.returncode, clock.monotonic() - begun, lines[-1])


def judge(names: list[str], console: Console) -> list[Verdict]:
    """Run the real code first, then each mutant; a red first run ends it."""
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar, console=console) as progress:
        task = progress.add_task("the real code", total=1 + len(names))
        tests = tuple(sorted({test for name in names for test in MUTANTS[name].tests}))
        verdicts = [run_tests("(the real code)", tests)]
        for name in names if verdicts[0].status == GREEN else []:
            progress.update(task, advance=1, description=name)
            verdicts.append(run_tests(name, MUTANTS[name].tests, "-x", "--mutant", name))
        progress.update(task, advance=1)
    return verdicts


def table_of(verdicts: list[Verdict]) -> Table:
    """The result for people."""
    table = Table("mutant", "suite", "verdict", "seconds", "what pytest said")
    for verdict in verdicts:
        mutant = MUTANTS.get(verdict.mutant)
        names = () if mutant is None else (test.partition("::")[0] for test in mutant.tests)
        suite = "\n".join(names) or "all of these"
        seconds = f"{verdict.seconds:.1f}"
        table.add_row(verdict.mutant, suite, verdict.colour, seconds, verdict.last_line)
    return table


def main(names: list[str]) -> int:
    """Judge the named mutants, or all; returns the exit status."""
    if BUILD is Build.NATIVE:  # compiled code does not ask a class for what was put into it later
        raise SystemExit("mutants are made of the sources: run `make native ARGS=--remove` first")
    unknown = set(names) - set(MUTANTS)
    if unknown:
        raise SystemExit(f"no such mutant: {', '.join(sorted(unknown))}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    real, *mutants = judge(names or list(MUTANTS), console)
    console.print(table_of([real, *mutants]))
    survivors = [verdict.mutant for verdict in mutants if verdict.colour != "red"]
    seconds = sum(verdict.seconds for verdict in (real, *mutants))
    console.print(f"{len(mutants)} mutants in {seconds:.0f} s, not caught: {survivors or 'none'}")
    return 1 if real.status != GREEN or survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
