"""What a run has measured so far, as the rows of the report ask for it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.campaign import Outcome
from bench.servers import SERVERS

if TYPE_CHECKING:
    from bench.figures import Figures
    from bench.rows import Figure


@dataclass(slots=True)
class Seen:
    """The cells of the load tests, and the figures of the other measurements.

    Attributes:
        outcome: The load tests.
        extras: Name of a measurement -> the figures of each time it was made.
        failures: Name of a measurement -> why it brought nothing, or not everything.
        minutes: How long the run took, without its profiles.
    """

    outcome: Outcome = field(default_factory=Outcome)
    extras: dict[str, list[list[Figure]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    minutes: float = 0.0

    def figures(self, server: str, scenario: str) -> Figures | None:
        """Return the medians of a load test, None if it was not measured."""
        return self.outcome.figures(server, scenario)

    def faults(self, server: str, scenario: str) -> str:
        """Tell why a load test of ours does not count; the faults of peers are remarks."""
        if not SERVERS[server].ours:
            return ""
        cells = self.outcome.of(server, scenario)
        bad = [cell for cell in cells if cell.faults or cell.missing_after_kill]
        return f"{len(bad)} of {len(cells)} rounds of {server} had faults" if bad else ""

    def all_of(self, extra: str) -> list[Figure]:
        """Return the figures of another measurement, the median of each over its times."""
        values: dict[str, list[Figure]] = {}
        for time in self.extras.get(extra, ()):
            for figure in time:
                values.setdefault(figure.name, []).append(figure)
        return [
            replace(found[-1], value=statistics.median(figure.value for figure in found))
            for found in values.values()
        ]

    def one_of(self, extra: str, name: str) -> Figure | None:
        """Return a figure of another measurement by its name, None if it is not there."""
        return next((figure for figure in self.all_of(extra) if figure.name == name), None)
