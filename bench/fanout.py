"""Runs a fan-out scenario against a server that is up: rooms, warm-up, measurement."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from bench.figures import Figures
from bench.hlc import HlcClock
from bench.room import Room
from bench.usage import machine_cpu_seconds

if TYPE_CHECKING:
    from bench.options import Options
    from bench.process import ServerProcess
    from bench.scenarios import Fanout
    from bench.servers import Server

ROOM_PATH = "bench/room-{number}"
OPEN_AT_ONCE = 20
"""Rooms that are opened at the same time."""


class FanoutRun:
    """The rooms of one scenario on one server; use `open`, `measure` or `burst`, then `close`."""

    def __init__(self, scenario: Fanout, server: Server, process: ServerProcess) -> None:
        self._scenario = scenario
        self._server = server
        self._process = process
        clock = HlcClock()
        self.rooms = [
            Room(
                ROOM_PATH.format(number=number),
                clients=scenario.clients,
                rows=scenario.rows,
                clock=clock,
            )
            for number in range(scenario.rooms)
        ]

    @property
    def faults(self) -> list[str]:
        """Whatever went wrong in any room so far."""
        return [f"{room.path}: {fault}" for room in self.rooms for fault in room.ledger.faults]

    async def open(self) -> None:
        """Connect all clients and fill all tables."""
        limit = asyncio.Semaphore(OPEN_AT_ONCE)

        async def one(room: Room) -> None:
            async with limit:
                await room.open(self._process.port, replica=self._server.replica)
                await room.seed()

        await asyncio.gather(*(one(room) for room in self.rooms))

    async def burst(self, seconds: float) -> None:
        """Let messages flow for a while and arrive."""
        scenario = self._scenario
        await asyncio.gather(
            *(
                room.run(window=scenario.window, senders=scenario.senders, seconds=seconds)
                for room in self.rooms
            )
        )

    async def measure(self, options: Options) -> Figures:
        """Warm up, let the server become idle, measure, and let it become idle again."""
        tree = self._process.tree
        await self.burst(options.warmup_seconds)
        await tree.settle()
        before, machine, own = tree.cpu(), machine_cpu_seconds(), time.process_time()
        begun = time.perf_counter()
        await self.burst(options.seconds)
        seconds = max(room.finished_at for room in self.rooms) - begun
        at_last, own = tree.cpu() - before, time.process_time() - own
        machine = machine_cpu_seconds() - machine
        settle = await tree.settle()
        used, memory = tree.cpu() - before, tree.memory()
        latencies = sorted(latency for room in self.rooms for latency in room.latencies)
        if not latencies:
            raise ConnectionError("no message arrived")
        return Figures(
            messages=len(latencies),
            deliveries=len(latencies) * (self._scenario.clients - 1),
            seconds=seconds,
            p50_ms=latencies[len(latencies) // 2] * 1e3,
            p99_ms=latencies[len(latencies) * 99 // 100] * 1e3,
            server_cpu_seconds=used.server,
            postgres_cpu_seconds=used.postgres,
            cpu_at_last_delivery_seconds=at_last.total,
            settle_seconds=settle,
            server_memory_bytes=memory.server,
            postgres_memory_bytes=memory.postgres,
            generator_share=own / seconds,
            others_share=others_share(machine, at_last.total + own, seconds),
        )

    def close(self) -> None:
        """Let all clients leave."""
        for room in self.rooms:
            room.close()


def others_share(machine_seconds: float, known_seconds: float, seconds: float) -> float:
    """Return the share of all cores that neither the server nor the generator used."""
    cores = os.cpu_count() or 1
    return max(0.0, (machine_seconds - known_seconds) / (seconds * cores))
