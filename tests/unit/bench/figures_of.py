"""Figures for tests: a load test of 1,000 messages of which only what matters is named."""

from dataclasses import replace

from bench.campaign import Outcome
from bench.figures import Cell, Figures
from bench.rows import Figure
from bench.seen import Seen

PLAIN = Figures(
    messages=1_000,
    deliveries=4_000,
    seconds=1.0,
    p50_ms=1.0,
    p99_ms=2.0,
    server_cpu_seconds=0.1,
    postgres_cpu_seconds=0.0,
    cpu_at_last_delivery_seconds=0.1,
    settle_seconds=0.4,
    server_memory_bytes=1,
    postgres_memory_bytes=0,
    generator_share=0.5,
    others_share=0.0,
)


def cell(server: str, scenario: str, *, faults: tuple[str, ...] = (), **changes: float) -> Cell:
    """One round."""
    figures = replace(PLAIN, **changes)
    return Cell(server=server, scenario=scenario, round=0, figures=figures, faults=list(faults))


def seen(*cells: Cell, **extras: list[Figure]) -> Seen:
    """A run that has measured these."""
    return Seen(
        outcome=Outcome(cells=list(cells)),
        extras={name.replace("_", "-"): [figures] for name, figures in extras.items()},
    )
