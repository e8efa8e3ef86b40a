"""What a server holds at one moment: memory, open descriptors, tasks; and whether that grows."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.process import ServerProcess

MEMORY_GROWTH_SHARE = 0.08
MEMORY_GROWTH_BYTES = 6 << 20
COUNT_GROWTH = 12
"""Descriptors or tasks: a few come and go with the moment at which one looks."""
ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """One reading of the server's first process; memory is that of the tree without Postgres."""

    memory_bytes: int
    descriptors: int
    tasks: int


async def take_census(process: ServerProcess, answer: Path) -> Census:
    """Look, and ask the server (bench.watched) for its tasks.

    Raises:
        TimeoutError: It does not answer.
    """
    first = process.tree.pids()[0]
    _ask(first, answer)
    deadline = time.perf_counter() + ANSWER_SECONDS
    while (tasks := _answered(answer)) is None:
        if time.perf_counter() > deadline:
            raise TimeoutError("the server does not tell its tasks")
        await asyncio.sleep(_POLL_SECONDS)
    return Census(
        memory_bytes=process.tree.memory().server,
        descriptors=_count_descriptors(first),
        tasks=tasks,
    )


def _ask(process_id: int, answer: Path) -> None:
    answer.unlink(missing_ok=True)
    os.kill(process_id, signal.SIGUSR1)


def _answered(answer: Path) -> int | None:
    return int(answer.read_text()) if answer.exists() else None


def _count_descriptors(process_id: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process_id}/fd").iterdir())


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """The middle third of a life against its last third; the first third is warm-up."""

    before: Census
    after: Census

    def faults(self) -> list[str]:
        """What has grown beyond its bound."""
        found = []
        memory = self.after.memory_bytes - self.before.memory_bytes
        if memory > MEMORY_GROWTH_BYTES + MEMORY_GROWTH_SHARE * self.before.memory_bytes:
            found.append(f"memory grew by {memory / (1 << 20):.1f} MiB")
        for name in ("descriptors", "tasks"):
            more = getattr(self.after, name) - getattr(self.before, name)
            if more > COUNT_GROWTH:
                found.append(f"{name} grew by {more}")
        return found


def growth_of(readings: list[Census]) -> Growth | None:
    """Compare the thirds by their medians; None when there are too few readings."""
    third = len(readings) // 3
    if third == 0:
        return None
    return Growth(before=_median(readings[third : 2 * third]), after=_median(readings[2 * third :]))


def _median(readings: list[Census]) -> Census:
    return Census(
        memory_bytes=int(statistics.median(reading.memory_bytes for reading in readings)),
        descriptors=int(statistics.median(reading.descriptors for reading in readings)),
        tasks=int(statistics.median(reading.tasks for reading in readings)),
    )
