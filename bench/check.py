"""The claim that a run has to hold up: less CPU than Node with its file persister.

Node relays first and saves behind, and may be far behind at the end of a run. The claim takes the
figure that is kinder to Node, CPU until the last delivery, and holds ours, until idle, against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.servers import REFERENCE, SERVERS

if TYPE_CHECKING:
    from bench.campaign import Outcome

OURS = next(server.name for server in SERVERS.values() if server.ours)
CLAIMED = {"pair": "message", "rooms": "delivery", "crowd": "delivery"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One scenario of the claim."""

    scenario: str
    holds: bool
    text: str


def verdicts(outcome: Outcome, scope: str) -> list[Verdict]:
    """Judge each claimed scenario; what was not measured does not hold.

    `scope` is `server` (our processes without Postgres) or `total` (with it).
    """
    return [_judge(outcome, scenario, unit, scope) for scenario, unit in CLAIMED.items()]


def _judge(outcome: Outcome, scenario: str, unit: str, scope: str) -> Verdict:
    ours = outcome.figures(OURS, scenario)
    theirs = outcome.figures(REFERENCE, scenario)
    if ours is None or theirs is None:
        absent = OURS if ours is None else REFERENCE
        return Verdict(
            scenario=scenario, holds=False, text=f"{scenario}: {absent} was not measured"
        )
    faults = [cell for cell in outcome.of(OURS, scenario) if cell.faults or cell.missing_after_kill]
    mine = ours.total_us_per_message if scope == "total" else ours.server_us_per_message
    reference = min(theirs.flowing_us_per_message, theirs.total_us_per_message)
    if unit == "delivery":
        mine *= ours.messages / ours.deliveries
        reference *= theirs.messages / theirs.deliveries
    holds = mine < reference and not faults
    comparison = f"{mine:.1f} us a {unit}, {REFERENCE} {reference:.1f} ({mine / reference:.2f}x)"
    return Verdict(
        scenario=scenario,
        holds=holds,
        text=f"{scenario}: {OURS} ({scope}) {comparison}" + ("; with faults" if faults else ""),
    )
