"""Which faults there are, and how often: drawn anew for each storm.

A mixture that is the same for every seed finds the same things over and over; one that lacks a
fault finds what that fault usually hides. So every storm scales each kind by a factor of its own
and may leave some out.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

# How many a second of simulated time, in the whole cluster.
FAULTS_PER_SECOND = {
    "crash": 0.6,
    "pause": 0.6,
    "lose_node": 0.03,
    "freeze_node": 0.12,
    "cut": 0.04,
    "reset": 0.2,
    "restart_database": 0.05,
    "fail_over": 0.04,
    "step_clock": 0.015,
    "stall_disk": 0.2,
    "stall_standby": 0.4,
    "drain": 0.08,
    "move": 0.3,
}
# Probability for each message or statement.
ODDS = {
    "lost_request": 0.01,
    "lost_answer": 0.03,
    "late_request": 0.04,
    "copied_request": 0.3,
    "slow_statement": 0.15,
    "slow_lock": 0.25,
    "broken_wait": 0.08,
}
_LEFT_OUT = 0.15


@dataclass(frozen=True, slots=True)
class Swarm:
    """One mixture of faults."""

    rates: dict[str, float]
    odds: dict[str, float]

    @classmethod
    def draw(
        cls, chance: random.Random, *, all_of_them: bool, focus: Mapping[str, float] | None = None
    ) -> "Swarm":
        """Draw one.

        Args:
            chance: Where from.
            all_of_them: Leave no kind of fault out, and keep near to the usual.
            focus: Kinds that are so many times as frequent as usual.
        """

        def scaled(kind: str, usual: float) -> float:
            usual *= (focus or {}).get(kind, 1.0)
            if all_of_them:
                return usual * 2 ** chance.uniform(-0.6, 0.6)
            return 0.0 if chance.random() < _LEFT_OUT else usual * 2 ** chance.uniform(-1.5, 1)

        return cls(
            rates={kind: scaled(kind, rate) for kind, rate in FAULTS_PER_SECOND.items()},
            odds={kind: scaled(kind, odd) for kind, odd in ODDS.items()},
        )


CALM = Swarm(rates={}, odds=dict.fromkeys(ODDS, 0.0))
