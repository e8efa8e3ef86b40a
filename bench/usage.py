"""What a server costs: CPU time and memory of its whole process tree, read from /proc (Linux).

CPU is user + system time of every live process plus that of the children they have reaped, so a
worker that ended in between is not forgotten. Processes named `postgres` are kept apart. The
resolution is the kernel's clock tick (10 ms): measure for seconds.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK_SECONDS = 1.0 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
QUIET_SECONDS = 0.4
QUIET_CPU_SHARE = 0.04
"""Less CPU than this share of `QUIET_SECONDS` counts as idle."""
SETTLE_LIMIT_SECONDS = 60.0
QUIET_MACHINE_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """CPU seconds since the processes started; subtract two readings."""

    server: float
    postgres: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(server=self.server - earlier.server, postgres=self.postgres - earlier.postgres)

    @property
    def total(self) -> float:
        """Server and database together."""
        return self.server + self.postgres


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Proportional set size in bytes (resident size where the kernel does not tell)."""

    server: int
    postgres: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    pid: int
    parent: int
    name: str
    cpu_seconds: float


def _read_process(pid: int) -> _Process | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    ticks = sum(int(field) for field in fields[11:15])
    return _Process(pid=pid, parent=int(fields[1]), name=name, cpu_seconds=ticks * _TICK_SECONDS)


def _tree(root: int) -> list[_Process]:
    """Return the live processes of the tree under `root`, itself first."""
    everybody = [
        process
        for entry in _PROC.iterdir()
        if entry.name.isdigit() and (process := _read_process(int(entry.name))) is not None
    ]
    tree = [process for process in everybody if process.pid == root]
    for process in tree:  # grows while it is walked
        tree.extend(child for child in everybody if child.parent == process.pid)
    return tree


def _memory_bytes(pid: int) -> int:
    for file, field in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = (_PROC / str(pid) / file).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def machine_cpu_seconds() -> float:
    """Return the CPU time that all processes of this machine have used since it booted."""
    fields = (_PROC / "stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft_irq = (int(field) for field in fields[:7])
    return (user + nice + system + irq + soft_irq) * _TICK_SECONDS


async def quiet_machine(limit_seconds: float) -> None:
    """Wait until the machine has been nearly idle for a second, at most `limit_seconds`.

    Meant for the moment before a server is started: whatever runs then is somebody else's.
    """
    cores = os.cpu_count() or 1
    deadline = time.perf_counter() + limit_seconds
    while time.perf_counter() < deadline:
        before, begun = machine_cpu_seconds(), time.perf_counter()
        await asyncio.sleep(1.0)
        used = machine_cpu_seconds() - before
        if used <= QUIET_MACHINE_SHARE * cores * (time.perf_counter() - begun):
            return


class ProcessTree:
    """The processes of one server, from its first one down."""

    def __init__(self, root: int) -> None:
        self._root = root

    def pids(self) -> list[int]:
        """Return the ids of all live processes, parents first."""
        return [process.pid for process in _tree(self._root)]

    def server_pids(self) -> list[int]:
        """Return the ids of the live processes that are not Postgres's."""
        return [process.pid for process in _tree(self._root) if process.name != "postgres"]

    def cpu(self) -> Cpu:
        """Read the CPU time used so far."""
        server = postgres = 0.0
        for process in _tree(self._root):
            if process.name == "postgres":
                postgres += process.cpu_seconds
            else:
                server += process.cpu_seconds
        return Cpu(server=server, postgres=postgres)

    def memory(self) -> Memory:
        """Read the memory held now."""
        server = postgres = 0
        for process in _tree(self._root):
            held = _memory_bytes(process.pid)
            if process.name == "postgres":
                postgres += held
            else:
                server += held
        return Memory(server=server, postgres=postgres)

    async def settle(self) -> float:
        """Wait until the server is idle, so that work it put off is counted; return the seconds.

        A server that saves after it has relayed is not done when the last message has arrived.
        Gives up after `SETTLE_LIMIT_SECONDS`.
        """
        begun = time.perf_counter()
        before = self.cpu()
        while (waited := time.perf_counter() - begun) < SETTLE_LIMIT_SECONDS:
            await asyncio.sleep(QUIET_SECONDS)
            now = self.cpu()
            if (now - before).total <= QUIET_SECONDS * QUIET_CPU_SHARE + _TICK_SECONDS / 2:
                return waited
            before = now
        return time.perf_counter() - begun
