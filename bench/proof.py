"""Measures everything that some rows need, once, in rounds, and profiles what missed its goal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.campaign import Step, plan
from bench.extras import EXTRAS, Extra
from bench.profiles import profile
from bench.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.campaign import Grid
    from bench.goals.row import Row
    from bench.options import Options
    from bench.profiles import Profile
    from bench.rows import Tick
    from bench.screen import Screen

MOST_WORDS = 300
"""Characters of a failure; the last words of a server are long."""


def grid_of(rows: Sequence[Row]) -> Grid:
    """Return every load test that these rows need, each once."""
    grid: dict[str, dict[str, None]] = {}
    for row in rows:
        for scenario, servers in row.cells.items():
            grid.setdefault(scenario, {}).update(dict.fromkeys(servers))
    return {scenario: tuple(servers) for scenario, servers in grid.items()}


def extras_of(rows: Sequence[Row]) -> list[Extra]:
    """Return every other measurement that these rows need, each once."""
    return [EXTRAS[name] for name in dict.fromkeys(name for row in rows for name in row.extras)]


class Proof:
    """One run over `rows`; what it found is in `seen`.

    Without `long` the measurements that take minutes are left out.
    """

    def __init__(
        self, rows: Sequence[Row], options: Options, screen: Screen, *, long: bool = True
    ) -> None:
        self.seen = Seen()
        self._options = options
        self._screen = screen
        self._steps = plan(grid_of(rows), options, self.seen.outcome)
        self._extras = []
        for extra in extras_of(rows):
            reason = extra.obstacle() if long or extra.every_round else "left out by --quick"
            if reason is None:
                self._extras.append(extra)
            else:
                self.seen.failures[extra.name] = reason
        self._total = len(self._steps) + sum(
            options.rounds if extra.every_round else 1 for extra in self._extras
        )
        self._profiles: dict[tuple[str, str], Profile | str] = {}

    async def measure(self) -> None:
        """Measure all of it; what goes wrong is noted, and the run goes on."""
        begun = time.perf_counter()
        for number in range(self._options.rounds):
            for step in self._steps:
                if step.round == number:
                    await self._load(step)
            for extra in self._extras:
                if extra.every_round:
                    await self._other(extra, 1)
        for extra in self._extras:
            if not extra.every_round:
                await self._other(extra, min(self._options.rounds, extra.most_rounds))
        self.seen.minutes = (time.perf_counter() - begun) / 60

    async def profile(self, row: Row) -> Profile | str | None:
        """Return where the time goes in what the row measures, or why nobody can tell.

        None if the row is not about processor time.
        """
        if row.profiled is None:
            return None
        if row.profiled not in self._profiles:
            server, scenario = row.profiled
            self._screen.started(self._total, f"profile of {scenario} on {server}")
            try:
                self._profiles[row.profiled] = await profile(server, scenario, self._options)
            except Exception as error:  # noqa: BLE001 -- a profile is never worth the run
                self._profiles[row.profiled] = f"{type(error).__name__}: {error}"
        return self._profiles[row.profiled]

    async def _load(self, step: Step) -> None:
        self._screen.started(self._total, str(step))
        cell = await step.measure(self._options)
        self.seen.outcome.cells.append(cell)
        self._screen.done(cell)

    async def _other(self, extra: Extra, rounds: int) -> None:
        self._screen.started(self._total, extra.name)
        try:
            figures = await extra.load()(rounds, self._doing(extra.name))
            self.seen.extras.setdefault(extra.name, []).append(figures)
        except Exception as error:  # noqa: BLE001 -- one measurement less, the run goes on
            said = " ".join(f"{type(error).__name__}: {error}".split())
            self.seen.failures[extra.name] = said[:MOST_WORDS]
        self._screen.finished(extra.name, self.seen.failures.get(extra.name))

    def _doing(self, name: str) -> Tick:
        return lambda what: self._screen.started(self._total, f"{name}: {what}")
