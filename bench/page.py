"""docs/reference/performance.md, as a run writes it, and the same for programs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from bench.columns import header, rows
from bench.conditions import conditions
from bench.page_words import HEAD, READING, REPEATING
from bench.scenarios import SCENARIOS
from bench.servers import SERVERS
from bench.verdicts import Bound, Claim, Verdict, worst

if TYPE_CHECKING:
    from bench.goals.row import Row
    from bench.options import Options
    from bench.profiles import Profile
    from bench.seen import Seen

DECISIONS = Path(__file__).resolve().parent.parent / "docs" / "decisions"
BUSY_SHARE = 0.1
"""More of the machine than this used by others: the page begins with a warning."""
_WORDS = {
    Verdict.GOAL: "goal met",
    Verdict.FLOOR: "floor met, goal missed",
    Verdict.MISSED: "**missed**",
    Verdict.ABSENT: "**not measured**",
    Verdict.REPORTED: "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A row, how it came out, and where the time went if it missed its goal (or why none knows)."""

    row: Row
    claims: list[Claim]
    profile: Profile | str | None = None


def page(judged: list[Judged], seen: Seen, options: Options) -> str:
    """Return the page."""
    lines = [HEAD, *_busy(seen), "## Conditions", ""]
    lines += [f"- {name}: {value}" for name, value in conditions().items()]
    load = f"{options.seconds:g} s of load after {options.warmup_seconds:g} s of warm-up"
    turns = f"{options.rounds} rounds in turn, fresh process and data each time"
    lines += [
        f"- {turns}, {load}; {seen.minutes:.0f} minutes in all",
        *(f"- skipped: {what}: {reason}" for what, reason in seen.outcome.skipped.items()),
        *(f"- not measured: {what}: {_flat(why)}" for what, why in seen.failures.items()),
        "",
        "## Verdicts",
        "",
        *_overview(judged),
    ]
    for each in judged:
        lines += ["", *_section(each)]
    for scenario in dict.fromkeys(name for each in judged for name in each.row.cells):
        lines += ["", *_cells(seen, scenario)]
    return "\n".join([*lines, "", *_faults(seen), READING, REPEATING])


def as_json(judged: list[Judged], seen: Seen, options: Options) -> bytes:
    """Return everything that was measured, every round of it."""
    claims = [
        {"row": each.row.name, "verdict": claim.verdict.value, **dataclasses.asdict(claim)}
        for each in judged
        for claim in each.claims
    ]
    return orjson.dumps(
        {
            "conditions": conditions(),
            "seconds": options.seconds,
            "rounds": options.rounds,
            "skipped": seen.outcome.skipped,
            "failures": seen.failures,
            "claims": claims,
            "cells": [dataclasses.asdict(cell) for cell in seen.outcome.cells],
            "extras": {
                name: [[dataclasses.asdict(figure) for figure in time] for time in times]
                for name, times in seen.extras.items()
            },
        },
        option=orjson.OPT_INDENT_2,
    )


def _busy(seen: Seen) -> list[str]:
    shares = [cell.figures.others_share for cell in seen.outcome.cells if cell.figures]
    most = max(shares, default=0.0)
    if most <= BUSY_SHARE:
        return []
    told = f"> **Others used up to {most:.0%} of the machine during this run.** Do not quote it;"
    return [told, "> repeat it on a machine with nothing else to do.", ""]


def _overview(judged: list[Judged]) -> list[str]:
    lines = ["| case | goal (floor) | measured | verdict |", "|---|---|---|---|"]
    for each in judged:
        verdict = worst(each.claims)
        decided = [claim for claim in each.claims if claim.bound is not None]
        values = "<br>".join(_cell(f"{claim.text}: {_value(claim)}") for claim in decided)
        place = f"[{_cell(each.row.case)}](#{each.row.name})"
        words = verdict.value if verdict is Verdict.REPORTED else _WORDS[verdict]
        lines.append(f"| {place} | {_cell(each.row.wanted)} | {values or 'see there'} | {words} |")
    return lines


def _section(each: Judged) -> list[str]:
    row = each.row
    lines = [f"## {row.name}", "", f"{_sentence(row.case)} Goal (floor): {row.wanted}.", ""]
    if row.reading:
        lines += [row.reading, ""]
    lines += ["| | measured | | goal | floor | verdict |", "|---|---|---:|---:|---:|---|"]
    for claim in each.claims:
        goal, floor = _bounds(claim.bound)
        told = f"{_cell(claim.measured)}{f'; {claim.faults}' if claim.faults else ''}"
        value = "" if claim.bound is None and claim.unit != "x" else _value(claim)
        cells = (_cell(claim.text), told, value, goal, floor, _WORDS[claim.verdict])
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, *_why(each)]


def _why(each: Judged) -> list[str]:
    if worst(each.claims) not in (Verdict.MISSED, Verdict.FLOOR):
        return []
    lines: list[str] = []
    if isinstance(each.profile, str):
        lines += ["", f"Where the time goes: no profile ({_flat(each.profile)})."]
    elif each.profile and each.row.profiled:
        server, scenario = each.row.profiled
        told = f"Where the time of `{server}` goes in `{scenario}`, Postgres apart"
        lines += ["", f"{told} ({each.profile.samples} samples):", ""]
        lines += ["| function | own time | with what it calls |", "|---|---:|---:|"]
        lines += [f"| `{s.place}` | {s.own:.1%} | {s.total:.1%} |" for s in each.profile.top]
    tried = _decisions(each.row.decisions)
    return [*lines, "", f"What was tried: {tried}."] if tried else lines


def _decisions(numbers: tuple[int, ...]) -> str:
    found = [path for n in numbers for path in sorted(DECISIONS.glob(f"{n:04}-*.md"))]
    return ", ".join(f"[{path.name[:4]}](../decisions/{path.name})" for path in found)


def _cells(seen: Seen, scenario: str) -> list[str]:
    table = rows(seen.outcome, scenario)
    titles = header(scenario)
    lines = [f"## Load: {scenario}", "", _sentence(SCENARIOS[scenario].about), ""]
    lines += [f"| {' | '.join(titles)} |", f"| --- |{' ---: |' * (len(titles) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in table)]


def _faults(seen: Seen) -> list[str]:
    faulty = seen.outcome.faulty
    lines = ["## Correctness", ""]
    cells = [cell for cell in seen.outcome.cells if SERVERS[cell.server].ours]
    looked = [cell for cell in cells if cell.missing_in_replica is not None]
    lines.append(
        f"{len(cells)} measurements of ours; after {len(looked)} of them late joiners pulled every "
        f"room: {sum(cell.missing_in_replica or 0 for cell in looked)} cells were missing or "
        f"stale, {sum(cell.wrong_hashes or 0 for cell in looked)} rooms told wrong hashes."
    )
    if faulty:
        lines.append("")
    for cell in faulty:
        place = f"{cell.scenario} on `{cell.server}`, round {cell.round + 1}"
        lines += [f"- {place}: {_flat(fault)}" for fault in cell.faults]
    return [*lines, ""]


def _value(claim: Claim) -> str:
    if claim.value is None:
        return "not measured"
    if claim.unit == "x":
        return f"{claim.value:.3f}x" if claim.value < 0.1 else f"{claim.value:.2f}x"
    return f"{claim.value:,.1f} {claim.unit}"


def _bounds(bound: Bound | None) -> tuple[str, str]:
    if bound is None:
        return "", ""
    sign = (">" if bound.strict else "≥") if bound.least else ("<" if bound.strict else "≤")
    floor = "" if bound.floor is None else f"{sign} {bound.floor:.3g}"
    return f"{sign} {bound.goal:.3g}", floor


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
