"""The report of a run as JSON (every cell) and Markdown (medians, ratios, conditions)."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from bench.columns import header, rows
from bench.conditions import conditions
from bench.scenarios import SCENARIOS
from bench.servers import REFERENCE, SERVERS

if TYPE_CHECKING:
    from pathlib import Path

    from bench.campaign import Outcome
    from bench.check import Verdict
    from bench.options import Options

LEGEND = f"""\
Medians over the rounds; `ratio` compares CPU with `{REFERENCE}` of the same run, below 1 is
cheaper. CPU is user + system time of all processes of a server, counted until it was idle again,
so that saves it put off are included (`put off`: their share of it); Postgres stands apart.
Latency runs from the write of a message until its last recipient has it. `generator` is the load
generator's share of one core: near 100 % the rate (not the CPU) is the generator's limit. `others`
is what else kept the machine busy, as a share of all cores. `lost running`: cells that the idle
server's replica lacked or held stale after all rounds; `lost by kill`: the same after it was killed
at the last delivery of a burst and started again. Every delivery is checked: count, bytes, order
for each sender; anything else, and any loss of ours, is a fault, and a measurement with faults does
not count."""


def markdown(options: Options, outcome: Outcome, judged: list[Verdict]) -> str:
    """Return the report for people."""
    lines = ["# Benchmark", ""]
    lines += [f"- {name}: {value}" for name, value in conditions().items()]
    lines += [
        f"- {options.rounds} rounds in turn, fresh process and data each time",
        f"- {options.seconds:g} s of load after {options.warmup_seconds:g} s of warm-up",
        "",
        *(f"- `{name}`: {SERVERS[name].about}" for name in options.servers),
        *(f"- skipped: {what}: {reason}" for what, reason in outcome.skipped.items()),
        "",
        LEGEND,
    ]
    for scenario in options.scenarios:
        table = rows(outcome, scenario)
        if table:
            titles = header(scenario)
            lines += ["", f"## {scenario}: {SCENARIOS[scenario].about}", ""]
            lines += [_line(titles), _line(["---"] + ["---:"] * (len(titles) - 1))]
            lines += [_line(row) for row in table]
    if judged:
        lines += ["", "## Claim", ""]
        lines += [f"- {'holds' if v.holds else 'DOES NOT HOLD'}: {v.text}" for v in judged]
    if outcome.faulty:
        lines += ["", "## Faults", ""]
        for cell in outcome.faulty:
            place = f"{cell.scenario} on {cell.server}, round {cell.round + 1}"
            lines += [f"- {place}: {fault}" for fault in cell.faults]
    return "\n".join(lines) + "\n"


def as_json(options: Options, outcome: Outcome, judged: list[Verdict]) -> bytes:
    """Return the report for programs: conditions, every cell, medians."""
    medians: list[dict[str, Any]] = []
    for scenario in options.scenarios:
        for server in options.servers:
            figures = outcome.figures(server, scenario)
            if figures is not None:
                numbers = dataclasses.asdict(figures) | {
                    "messages_per_second": figures.messages_per_second,
                    "deliveries_per_second": figures.deliveries_per_second,
                    "server_us_per_message": figures.server_us_per_message,
                    "flowing_us_per_message": figures.flowing_us_per_message,
                    "postgres_us_per_message": figures.postgres_us_per_message,
                    "server_us_per_delivery": figures.server_us_per_delivery,
                    "total_us_per_delivery": figures.total_us_per_delivery,
                }
                medians.append({"scenario": scenario, "server": server, **numbers})
    return orjson.dumps(
        {
            "conditions": conditions(),
            "seconds": options.seconds,
            "warmup_seconds": options.warmup_seconds,
            "rounds": options.rounds,
            "skipped": outcome.skipped,
            "medians": medians,
            "cells": [dataclasses.asdict(cell) for cell in outcome.cells],
            "claim": [dataclasses.asdict(verdict) for verdict in judged],
        },
        option=orjson.OPT_INDENT_2,
    )


def write(options: Options, outcome: Outcome, judged: list[Verdict]) -> list[Path]:
    """Write both reports and return where they are."""
    stem = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    options.results.mkdir(parents=True, exist_ok=True)
    text = markdown(options, outcome, judged)
    places = [options.results / f"{stem}.md", options.results / f"{stem}.json"]
    places[0].write_text(text)
    places[1].write_bytes(as_json(options, outcome, judged))
    if options.markdown is not None:
        options.markdown.write_text(text)
        places.append(options.markdown)
    return places


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
