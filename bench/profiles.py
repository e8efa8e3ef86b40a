"""Where the time of a server goes: its functions by their own time, sampled while it is loaded.

py-spy looks from outside, two hundred times a second, native frames included, so nothing is put
into the server and a compiled module shows as well. Threads that wait do not count, nor does the
event loop while it asks the kernel for events: nobody can tell there whether it waits. The samples
are taken in a run of their own: the figures of the report are those of servers that nobody looked
into.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.fanout import FanoutRun
from bench.join import JoinRun
from bench.measurement import free_port
from bench.process import ServerProcess
from bench.scenarios import SCENARIOS, Fanout
from bench.servers import SERVERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.options import Options

RATE = 200
_WAITING = frozenset(("epoll_wait", "epoll_pwait", "poll", "select", "wait4", "sigwait"))
_LOCKS = frozenset(("PyThread_acquire_lock_timed", "take_gil"))
TOP = 10
SYMBOL_SECONDS = 2.0
SPARE_SECONDS = 15.0
"""py-spy reads symbols before it begins and writes after it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """One function.

    Attributes:
        place: Its name and file.
        own: The share of all samples in which it ran itself.
        total: The share in which it or what it called ran.
    """

    place: str
    own: float
    total: float


def sampler() -> Path | None:
    """Return py-spy, beside this Python or on the path; None if it is not installed."""
    beside = Path(sys.executable).parent / "py-spy"
    found = str(beside) if beside.is_file() else shutil.which("py-spy")
    return Path(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The most costly functions first, and of how many samples."""

    top: list[Spent]
    samples: int


def spent(folded: str, top: int = TOP) -> Profile:
    """Read py-spy's raw output (`outer;inner;innermost COUNT` a line)."""
    own, total = Counter[str](), Counter[str]()
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_place(frame) for frame in stack.split(";")]
        if _waits(frames):
            continue
        own[frames[-1]] += int(count)
        for frame in set(frames):
            total[frame] += int(count)
    samples = own.total()
    costly = [
        Spent(place=place, own=count / samples, total=total[place] / samples)
        for place, count in own.most_common(top)
    ]
    return Profile(top=costly, samples=samples)


def _waits(frames: Sequence[str]) -> bool:
    """Tell a thread that waits for work from one that works."""
    names = [frame.partition(" (")[0] for frame in frames]
    return names[-1] in _WAITING or not _LOCKS.isdisjoint(names)


def _place(frame: str) -> str:
    """`name (file:line)` without the line, which is that of the definition or means nothing."""
    name, _, where = frame.strip().partition(" (")
    return f"{name} ({where.rstrip(')').partition(':')[0]})" if where else name


async def profile(server: str, scenario: str, options: Options) -> Profile:
    """Load a fresh server as the scenario does and sample it.

    Raises:
        RuntimeError: It cannot be sampled here, with the reason.
    """
    spy = sampler()
    if spy is None:
        raise RuntimeError("py-spy is not installed")
    with tempfile.TemporaryDirectory(prefix="profile-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o711)  # Postgres may run as another user below
        return spent(await _sampled(spy, server, scenario, folder, options))


async def _sampled(spy: Path, name: str, shape: str, folder: Path, options: Options) -> str:
    server, scenario, port = SERVERS[name], SCENARIOS[shape], free_port()
    command = server.command(port, folder / "data")
    process = ServerProcess(command, port=port, log=folder / "log", env=server.env)
    try:
        await process.ready(server.ready_path)
        run: FanoutRun | JoinRun
        if isinstance(scenario, Fanout):
            run = FanoutRun(scenario, server, process)
            await run.open()
            await run.burst(options.warmup_seconds)
            load = run.burst(_seconds(options) + SYMBOL_SECONDS)
        else:
            run = JoinRun(scenario, server, process)
            await run.open()
            load = _joins(run, options)
        pids = process.tree.server_pids()
        sampling = [asyncio.ensure_future(_record(spy, pid, folder, options)) for pid in pids]
        await load
        written = await asyncio.gather(*sampling)
        run.close()
    finally:
        await process.stop()
    return "".join(written)


def _seconds(options: Options) -> float:
    """For how long samples are taken: twice a measurement, for there is only one of them."""
    return max(1.0, 2 * options.seconds)


async def _joins(run: JoinRun, options: Options) -> None:
    await run.measure(replace(options, seconds=_seconds(options) + SYMBOL_SECONDS))


async def _record(spy: Path, pid: int, folder: Path, options: Options) -> str:
    output = folder / f"{pid}.folded"
    arguments = ["record", "--native", "--function", "--format", "raw", "--rate", str(RATE)]
    arguments += ["--duration", str(round(_seconds(options))), "--pid", str(pid)]
    process = await asyncio.create_subprocess_exec(
        str(spy),
        *arguments,
        "--output",
        str(output),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_seconds(options) + SPARE_SECONDS):
            said = (await process.communicate())[0].decode(errors="replace")
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError("py-spy did not end") from None
    if process.returncode or not output.is_file():
        raise RuntimeError(f"py-spy: {said.strip()[-200:]}")
    return output.read_text(errors="replace")
