"""The figures of `bench.memory` for the report: bytes of one, each case once on a fresh server."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from rich.progress import Progress

from bench.memory import CASES, KIB, measure
from bench.rows import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.memory import MemoryFigure
    from bench.rows import Tick

COUNTS = (1_000, 5_000)
"""The slope is between two; steps between them would only take time."""
NAMES: Mapping[str, str] = {
    "idle": f"idle connection at {COUNTS[-1]:,}",
    "node-ws": f"idle connection at {COUNTS[-1]:,}, Node ws",
    "node-relay": f"idle connection at {COUNTS[-1]:,}, TinyBase's server on Node",
    "hibernated": "hibernated room with one socket",
    "active": "active room of 10 rows",
}
"""Case -> the name of its figure."""


async def idle(rounds: int, tick: Tick) -> list[Figure]:
    """Measure idle connections, ours and Node's.

    Raises:
        RuntimeError: A server did not do what it should, or dropped somebody.
    """
    return await _measure(("idle", "node-ws", "node-relay"), rounds, tick)


async def hibernated(rounds: int, tick: Tick) -> list[Figure]:
    """Measure hibernated rooms; raises like `idle`."""
    return await _measure(("hibernated",), rounds, tick)


async def active(rounds: int, tick: Tick) -> list[Figure]:
    """Measure active rooms; raises like `idle`."""
    return await _measure(("active",), rounds, tick)


async def _measure(cases: Sequence[str], rounds: int, tick: Tick) -> list[Figure]:
    values: dict[str, list[Figure]] = {case: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            tick(f"{CASES[case].about}, round {number + 1}")
            found = await measure((case,), COUNTS, Progress(disable=True))
            values[case] += [_figure(NAMES[case], one) for one in found]
    return [
        replace(made[-1], value=median(figure.value for figure in made)) for made in values.values()
    ]


def _figure(name: str, one: MemoryFigure) -> Figure:
    if one.lost:
        raise RuntimeError(f"{one.case.name}: {one.lost} clients were dropped")
    (few, _), (many, most) = one.readings[0], one.readings[-1]
    note = f"slope from {few:,} to {many:,}; {most / KIB**2:.0f} MiB with all"
    if one.after_bytes is not None:
        note += f", {one.after_bytes / KIB**2:.0f} MiB when they had left"
    return Figure(name=name, value=one.each_bytes, unit="bytes", note=note)
