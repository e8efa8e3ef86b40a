"""Claims made of two load tests of the same run.

The CPU of ours is that of our processes until they are idle again, Postgres apart; with it is told
beside. That of a peer is the kinder of two readings: until its last delivery, or until it is idle
again. Node saves behind, so the first leaves out most of what its persister costs; both are told.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.columns import number
from bench.servers import SERVERS
from bench.verdicts import Bound, Claim

if TYPE_CHECKING:
    from bench.figures import Figures
    from bench.rows import Figure
    from bench.seen import Seen

OURS = "stateroom"
FILE, WORKERD, RELAY = "node-file", "workerd", "node-relay"
_PUT_OFF = 0.02
"""From this share of CPU on, both readings of a peer are told."""


def at_most(goal: float, floor: float | None = None) -> Bound:
    """Return a bound from above."""
    return Bound(goal=goal, floor=floor)


def at_least(goal: float, floor: float | None = None) -> Bound:
    """Return a bound from below."""
    return Bound(goal=goal, floor=floor, least=True)


BELOW = Bound(goal=1.0, strict=True)


def kinder_us(figures: Figures) -> float:
    """Return a peer's CPU microseconds a message, by the reading that is kinder to it."""
    return min(figures.flowing_us_per_message, figures.total_us_per_message)


def cpu(
    seen: Seen,
    scenario: str,
    peer: str,
    *,
    bound: Bound | None,
    ours: str = OURS,
    per: str = "delivery",
) -> Claim:
    """Compare CPU a message, a delivery or a join; in a join a message is a join."""
    text = f"CPU a {per}, `{ours}` : `{peer}`"
    mine, theirs = seen.figures(ours, scenario), seen.figures(peer, scenario)
    if mine is None or theirs is None:
        return _absent(text, ours if mine is None else peer, bound, seen.faults(ours, scenario))
    share = mine.messages / mine.deliveries if per == "delivery" else 1.0
    other = theirs.messages / theirs.deliveries if per == "delivery" else 1.0
    sibling = SERVERS[peer].ours
    kinder = theirs.server_us_per_message if sibling else kinder_us(theirs)
    alone, reference = mine.server_us_per_message * share, kinder * other
    notes = [f"{number(alone)} us : {number(reference)} us"]
    if theirs.put_off_share > _PUT_OFF and not sibling:
        idle = theirs.total_us_per_message * other
        notes.append(f"until it is idle {number(idle)} us, {alone / idle:.2f}x")
    if mine.postgres_cpu_seconds and not sibling:
        both = mine.total_us_per_message * share
        notes.append(f"with Postgres {number(both)} us, {both / reference:.2f}x")
    return Claim(
        text=text,
        measured="; ".join(notes),
        value=alone / reference,
        bound=bound,
        faults=seen.faults(ours, scenario),
    )


def latency(
    seen: Seen, scenario: str, peer: str, *, bound: Bound | None, ours: str = OURS
) -> Claim:
    """Compare the median time from a message's write (a join's question) to its last byte."""
    text = f"p50, `{ours}` : `{peer}`"
    mine, theirs = seen.figures(ours, scenario), seen.figures(peer, scenario)
    if mine is None or theirs is None:
        return _absent(text, ours if mine is None else peer, bound, seen.faults(ours, scenario))
    return Claim(
        text=text,
        measured=f"{mine.p50_ms:.2f} ms : {theirs.p50_ms:.2f} ms",
        value=mine.p50_ms / theirs.p50_ms,
        bound=bound,
        faults=seen.faults(ours, scenario),
    )


def rate(seen: Seen, scenario: str, peer: str, *, bound: Bound | None, ours: str = OURS) -> Claim:
    """Compare messages a second."""
    text = f"messages a second, `{ours}` : `{peer}`"
    mine, theirs = seen.figures(ours, scenario), seen.figures(peer, scenario)
    if mine is None or theirs is None:
        return _absent(text, ours if mine is None else peer, bound, seen.faults(ours, scenario))
    first, second = mine.messages_per_second, theirs.messages_per_second
    return Claim(
        text=text,
        measured=f"{number(first)} : {number(second)}",
        value=first / second,
        bound=bound,
        faults=seen.faults(ours, scenario),
    )


def renamed(prefix: str, claim: Claim) -> Claim:
    """Return a claim with more words before it."""
    return replace(claim, text=prefix + claim.text)


def told(seen: Seen, extra: str) -> list[Claim]:
    """Return every figure of another measurement, for the record."""
    return [
        Claim(text=figure.name, measured=written(figure), value=figure.value, unit=figure.unit)
        for figure in seen.all_of(extra)
    ]


def against(
    seen: Seen, extra: str, name: str, bound: Bound, *, divisor: float = 1.0, unit: str = ""
) -> Claim:
    """Hold one figure of another measurement, divided by `divisor`, against a bound."""
    figure = seen.one_of(extra, name)
    if figure is None:
        reason = seen.failures.get(extra, f"`{extra}` does not tell it")
        return Claim(text=name, measured=reason, value=None, bound=bound)
    return Claim(
        text=name,
        measured=figure.note if figure.unit == "x" and figure.note else written(figure),
        value=figure.value / divisor,
        unit=unit or figure.unit,
        bound=bound,
    )


def written(figure: Figure) -> str:
    """Write a figure with its unit and its note; sizes and times in units that read well."""
    if figure.unit == "bytes":
        text = f"{figure.value / 1024:,.1f} KiB"
    elif abs(figure.value) < 10:
        text = f"{figure.value:.2f} {figure.unit}"
    else:
        text = f"{number(figure.value)} {figure.unit}"
    return f"{text} ({figure.note})" if figure.note else text


def _absent(text: str, who: str, bound: Bound | None, faults: str) -> Claim:
    reason = f"`{who}` was not measured"
    return Claim(
        text=text,
        measured=f"{reason}: {faults}" if faults else reason,
        value=None,
        bound=bound,
        faults=faults,
    )
