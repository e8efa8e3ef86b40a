"""The whole run: rounds of every scenario on every server, in turn.

The speed of a machine drifts, so the servers take turns within each scenario and another one begins
in each round; what is reported are medians over the rounds and ratios within the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.figures import Cell, Figures, middle
from bench.measurement import measure, obstacle
from bench.scenarios import SCENARIOS
from bench.servers import SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.options import Options

    Grid = Mapping[str, tuple[str, ...]]
    """Scenario -> the servers that are measured in it."""


@dataclass(slots=True)
class Outcome:
    """Everything that was measured, and what was left out and why."""

    cells: list[Cell] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """`server` or `server in scenario` -> reason."""

    def of(self, server: str, scenario: str) -> list[Cell]:
        """Return the cells of one server in one scenario, by round."""
        return [c for c in self.cells if (c.server, c.scenario) == (server, scenario)]

    def figures(self, server: str, scenario: str) -> Figures | None:
        """Return the medians over the rounds, None if nothing was measured."""
        return middle(self.of(server, scenario))

    @property
    def faulty(self) -> list[Cell]:
        """The cells that did not go as they should."""
        return [cell for cell in self.cells if cell.faults]


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement of the plan."""

    server: str
    scenario: str
    round: int
    kill: bool

    def __str__(self) -> str:
        return f"{self.scenario} on {self.server}, round {self.round + 1}"

    async def measure(self, options: Options) -> Cell:
        """Do it; what goes wrong is in the cell."""
        return await measure(
            SERVERS[self.server],
            SCENARIOS[self.scenario],
            number=self.round,
            kill=self.kill,
            options=options,
        )


def plan(grid: Grid, options: Options, outcome: Outcome) -> list[Step]:
    """Return the measurements in order; notes in `outcome` what is skipped.

    The servers of a scenario stand together in each round, and another one of them begins.
    """
    possible = {
        scenario: [name for name in servers if not _skipped(name, scenario, outcome)]
        for scenario, servers in grid.items()
    }
    steps = []
    for number in range(options.rounds):
        kill = options.kill and number == options.rounds - 1
        for scenario, servers in possible.items():
            turn = number % len(servers) if servers else 0
            order = servers[turn:] + servers[:turn]
            steps += [Step(server, scenario, number, kill) for server in order]
    return steps


def _skipped(server: str, scenario: str, outcome: Outcome) -> bool:
    reason = obstacle(SERVERS[server], SCENARIOS[scenario])
    if reason is None:
        return False
    absent = SERVERS[server].obstacle() is not None
    outcome.skipped[server if absent else f"{server} in {scenario}"] = reason
    return True


async def run(
    options: Options, *, started: Callable[[int, str], None], done: Callable[[Cell], None]
) -> Outcome:
    """Measure everything; `started(steps in all, what)` and `done(cell)` tell of the progress."""
    outcome = Outcome()
    grid = dict.fromkeys(options.scenarios, options.servers)
    steps = plan(grid, options, outcome)
    for step in steps:
        started(len(steps), str(step))
        cell = await step.measure(options)
        outcome.cells.append(cell)
        done(cell)
    return outcome
