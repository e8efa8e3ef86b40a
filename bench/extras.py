"""The measurements beside the load tests: `measure(rounds, tick)` of a module, see `bench.rows`."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from bench.rows import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """One of them.

    Attributes:
        name: As rows call it.
        module: Where its function is.
        function: Its name.
        every_round: It takes turns with the load tests, one round each time, because it is held
            against them and the disk's speed drifts; else it is called once for all its rounds.
        most_rounds: Rounds that are enough, for one that takes long or hardly scatters.
    """

    name: str
    module: str
    function: str = "measure"
    every_round: bool = False
    most_rounds: int = 5

    def obstacle(self) -> str | None:
        """Tell why it cannot be measured here."""
        found = importlib.util.find_spec(self.module)
        return None if found is not None else f"there is no {self.module}"

    def load(self) -> Measure:
        """Return its function; what it needs is imported only now."""
        return cast("Measure", getattr(importlib.import_module(self.module), self.function))


EXTRAS = {
    extra.name: extra
    for extra in (
        Extra(name="pgbench", module="bench.pgbench", every_round=True),
        Extra(name="join-crowd", module="bench.join_crowd"),
        Extra(name="loading", module="bench.loading"),
        *(
            Extra(name=name, module="bench.memory_figures", function=name, most_rounds=1)
            for name in ("idle", "hibernated", "active")
        ),
        Extra(name="commits", module="bench.commits", most_rounds=3),
    )
}
