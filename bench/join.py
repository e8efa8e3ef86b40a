"""Runs the join scenario against a server that is up: fill one large room, join it again and again.

A first client fills the room and stays, so that the server need not load it anew for each join.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.fanout import others_share
from bench.figures import Figures
from bench.hlc import HlcClock
from bench.joiner import Joiner
from bench.room import Room
from bench.usage import machine_cpu_seconds

if TYPE_CHECKING:
    from bench.options import Options
    from bench.process import ServerProcess
    from bench.scenarios import Join
    from bench.servers import Server

ROOM_PATH = "bench/large"
FEWEST_JOINS = 5
FILL_LOOKS = 30
FILL_LOOK_SECONDS = 0.5
"""A replica may take a second to start (the original waits for an answer nobody can give)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Complete:
    """One join, its content compared with what the room must hold and then forgotten."""

    seconds: float
    size_bytes: int
    missing: int


class JoinRun:
    """One large room; use `open`, `measure`, then `close`."""

    def __init__(self, scenario: Join, server: Server, process: ServerProcess) -> None:
        self._slowly = server.outrun
        self._scenario = scenario
        self._process = process
        self._room = Room(ROOM_PATH, clients=2, rows=scenario.rows, clock=HlcClock())
        self.rooms = [self._room]
        self._faults: list[str] = []

    @property
    def faults(self) -> list[str]:
        """Whatever went wrong so far."""
        return [*self._room.ledger.faults, *self._faults]

    async def open(self) -> None:
        """Fill the room through one client while a second one watches; see that all has arrived.

        Raises:
            TimeoutError: the replica never got everything.
        """
        await self._room.open(self._process.port, replica=True)
        await self._room.seed(self._process.tree.settle if self._slowly else None)
        missing = self._scenario.rows
        for _ in range(FILL_LOOKS):
            missing = (await self._join()).missing
            if not missing:
                return
            await asyncio.sleep(FILL_LOOK_SECONDS)
        raise TimeoutError(f"the replica still lacks {missing} cells")

    async def measure(self, options: Options) -> Figures:
        """Join again and again for the given time; every join must bring every cell."""
        tree = self._process.tree
        await tree.settle()
        before, joins = tree.cpu(), list[_Complete]()
        busy = own = machine = 0.0
        begun = time.perf_counter()
        while len(joins) < FEWEST_JOINS or time.perf_counter() - begun < options.seconds:
            marks = time.perf_counter(), time.process_time(), machine_cpu_seconds()
            joins.append(await self._join())
            if joins[-1].missing:
                self._faults.append(f"a join lacked {joins[-1].missing} cells")
            busy += time.perf_counter() - marks[0]
            own += time.process_time() - marks[1]
            machine += machine_cpu_seconds() - marks[2]
        at_last = tree.cpu() - before
        settle = await tree.settle()
        used, memory = tree.cpu() - before, tree.memory()
        times = sorted(joined.seconds for joined in joins)
        return Figures(
            messages=len(joins),
            deliveries=len(joins) * self._scenario.rows,
            seconds=sum(times),
            p50_ms=times[len(times) // 2] * 1e3,
            p99_ms=times[len(times) * 99 // 100] * 1e3,
            server_cpu_seconds=used.server,
            postgres_cpu_seconds=used.postgres,
            cpu_at_last_delivery_seconds=at_last.total,
            settle_seconds=settle,
            server_memory_bytes=memory.server,
            postgres_memory_bytes=memory.postgres,
            generator_share=own / busy,
            others_share=others_share(machine, at_last.total + own, busy),
            bytes_a_message=joins[-1].size_bytes,
        )

    def close(self) -> None:
        """Let everybody leave."""
        self._room.close()

    async def _join(self) -> _Complete:
        joined = await Joiner().join(self._process.port, ROOM_PATH)
        missing = self._room.ledger.missing_from(joined.cells)
        return _Complete(seconds=joined.seconds, size_bytes=joined.size_bytes, missing=missing)
