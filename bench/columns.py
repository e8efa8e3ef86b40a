"""The table of one scenario, as text cells: shared by the terminal and the Markdown report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.scenarios import SCENARIOS, Join
from bench.servers import REFERENCE, SERVERS

if TYPE_CHECKING:
    from bench.campaign import Outcome
    from bench.figures import Cell, Figures

_MIB = 1024 * 1024
COLUMNS = 17


def header(scenario: str) -> list[str]:
    """Return the column titles."""
    message, delivery = _units(scenario)
    deliveries = "rows" if delivery == "row" else "deliveries"
    return [
        "server",
        f"{message}s/s",
        f"{deliveries}/s",
        "p50 ms",
        "p99 ms",
        f"CPU us/{message}",
        f"CPU us/{delivery}",
        "ratio",
        f"Postgres us/{message}",
        "ratio with it",
        "put off",
        "memory MiB",
        "generator",
        "others",
        "lost running",
        "lost by kill",
        "faults",
    ]


def rows(outcome: Outcome, scenario: str) -> list[list[str]]:
    """Return one row a measured server, in the order of the list of servers."""
    reference = outcome.figures(REFERENCE, scenario)
    table = []
    for name in SERVERS:
        cells = outcome.of(name, scenario)
        if cells:
            table.append(_row(name, cells, outcome.figures(name, scenario), reference))
    return table


def _row(
    name: str, cells: list[Cell], figures: Figures | None, reference: Figures | None
) -> list[str]:
    faults = sum(len(cell.faults) for cell in cells)
    if figures is None:
        return [name, *["-"] * (COLUMNS - 2), str(faults)]
    database = figures.postgres_memory_bytes > 0
    memory = f"{figures.server_memory_bytes / _MIB:.0f}"
    if database:
        memory += f" + {figures.postgres_memory_bytes / _MIB:.0f}"
    theirs = reference.total_us_per_message if reference else 0.0
    return [
        name,
        number(figures.messages_per_second),
        number(figures.deliveries_per_second),
        f"{figures.p50_ms:.2f}",
        f"{figures.p99_ms:.2f}",
        number(figures.server_us_per_message),
        number(figures.server_us_per_delivery),
        _ratio(figures.server_us_per_message, theirs),
        number(figures.postgres_us_per_message) if database else "",
        _ratio(figures.total_us_per_message, theirs) if database else "",
        f"{figures.put_off_share:.0%}",
        memory,
        f"{figures.generator_share:.0%}",
        f"{figures.others_share:.0%}",
        _lost([cell.missing_in_replica for cell in cells]),
        _lost([cell.missing_after_kill for cell in cells]),
        str(faults or ""),
    ]


def _ratio(mine: float, theirs: float) -> str:
    return f"{mine / theirs:.2f}x" if theirs else ""


def number(value: float) -> str:
    """Write a number with the digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _lost(counts: list[int | None]) -> str:
    tried = [count for count in counts if count is not None]
    return str(sum(tried)) if tried else ""


def _units(scenario: str) -> tuple[str, str]:
    return ("join", "row") if isinstance(SCENARIOS[scenario], Join) else ("message", "delivery")
