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
    from collections.abc import Callable

    from bench.options import Options


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
class _Step:
    server: str
    scenario: str
    round: int
    kill: bool


def plan(options: Options, outcome: Outcome) -> list[_Step]:
    """Return the measurements in order; notes in `outcome` what is skipped."""
    possible: dict[str, list[str]] = {}
    for scenario in options.scenarios:
        for server in options.servers:
            reason = obstacle(SERVERS[server], SCENARIOS[scenario])
            if reason is None:
                possible.setdefault(scenario, []).append(server)
            elif SERVERS[server].obstacle() is not None:
                outcome.skipped[server] = reason
            else:
                outcome.skipped[f"{server} in {scenario}"] = reason
    steps = []
    for number in range(options.rounds):
        kill = options.kill and number == options.rounds - 1
        for scenario, servers in possible.items():
            turn = number % len(servers)
            order = servers[turn:] + servers[:turn]
            steps += [_Step(server, scenario, number, kill) for server in order]
    return steps


async def run(
    options: Options, *, started: Callable[[int, str], None], done: Callable[[Cell], None]
) -> Outcome:
    """Measure everything; `started(steps in all, what)` and `done(cell)` tell of the progress."""
    outcome = Outcome()
    steps = plan(options, outcome)
    for step in steps:
        started(len(steps), f"{step.scenario} on {step.server}, round {step.round + 1}")
        cell = await measure(
            SERVERS[step.server],
            SCENARIOS[step.scenario],
            number=step.round,
            kill=step.kill,
            options=options,
        )
        outcome.cells.append(cell)
        done(cell)
    return outcome
