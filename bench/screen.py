"""What the terminal shows: progress while running, tables at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.columns import header, rows
from bench.scenarios import SCENARIOS
from bench.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.campaign import Outcome
    from bench.check import Verdict as Checked
    from bench.figures import Cell
    from bench.options import Options
    from bench.verdicts import Claim

WIDTH_WITHOUT_TERMINAL = 200


class Screen:
    """One run on the terminal; a context manager around the progress bar."""

    def __init__(self) -> None:
        self._console = Console()
        if not self._console.is_terminal:
            self._console = Console(width=WIDTH_WITHOUT_TERMINAL)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, steps: int, what: str) -> None:
        """Show what is measured now."""
        self._progress.update(self._task, total=steps, description=what)

    def done(self, cell: Cell) -> None:
        """Advance, and print one line on a finished measurement."""
        self._progress.advance(self._task)
        place = f"{cell.scenario} on {cell.server}, round {cell.round + 1}"
        if cell.figures is not None:
            figures = cell.figures
            self._console.print(
                f"{place}: {figures.messages_per_second:,.0f}/s, "
                f"{figures.total_us_per_message:,.0f} us of CPU, p99 {figures.p99_ms:.1f} ms",
                highlight=False,
            )
        for fault in cell.faults:
            self._console.print(f"{place}: {fault}", style="red", markup=False, highlight=False)

    def finished(self, what: str, failure: str | None) -> None:
        """Advance after something that is no load test."""
        self._progress.advance(self._task)
        words = failure or "measured"
        style = "red" if failure else None
        self._console.print(f"{what}: {words}", style=style, markup=False, highlight=False)

    def judged(self, row: str, claims: Sequence[Claim]) -> None:
        """Print how the claims of a row came out."""
        for claim in claims:
            value = "" if claim.value is None else f"{claim.value:,.2f} {claim.unit}: "
            text = f"{row}: {claim.verdict.value}: {claim.text}: {value}{claim.measured}"
            style = "red" if claim.verdict in (Verdict.MISSED, Verdict.ABSENT) else None
            self._console.print(text, style=style, markup=False, highlight=False)

    def tables(self, options: Options, outcome: Outcome, judged: list[Checked]) -> None:
        """Print the results."""
        for what, reason in outcome.skipped.items():
            self._console.print(f"skipped: {what}: {reason}", style="yellow", highlight=False)
        for scenario in options.scenarios:
            lines = rows(outcome, scenario)
            if lines:
                table = Table(title=f"{scenario}: {SCENARIOS[scenario].about}")
                for title in header(scenario):
                    first = title == "server"
                    table.add_column(title, justify="left" if first else "right", no_wrap=first)
                for line in lines:
                    table.add_row(*line)
                self._console.print(table)
        for verdict in judged:
            word, style = ("holds", "green") if verdict.holds else ("DOES NOT HOLD", "red")
            self._console.print(f"{word}: {verdict.text}", style=style, highlight=False)
