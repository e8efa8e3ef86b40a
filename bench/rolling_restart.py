"""`python -m bench.rolling_restart`: 2,000 sockets behind nginx, and every worker is replaced.

Two machines of two workers on one Postgres, nginx with the files of `deploy/nginx` before them,
real sockets on loopback. In the middle each machine gets SIGHUP and replaces its workers one by
one, each of which gives its rooms up at the pace that is set. In the end a newcomer alone looks
into every room. Exit status 1 when an acknowledged change is lost, when a room's hashes are not
those of its content, when somebody does not come back, or when more sockets were sent away at a
time than the pace allows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.failover import WIDTH_WITHOUT_TERMINAL, percentile
from bench.hashes import content_hashes
from bench.idlers import allow_descriptors
from bench.joiner import Joiner
from bench.nodes import PATIENCE_SECONDS, WORKERS, Machines, Node
from bench.proxies import Nginx
from bench.returning import Crowd, Register

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS_A_ROOM = 4
LEASE_SECONDS = 20.0
SETTINGS = {"STATEROOM_SHUTDOWN_SECONDS": "120"}
WINDOW_SECONDS = 5
PACE_TOLERANCE = 1.25
"""Over a window: the clients share two cores with all the rest, and see things late."""

_LOOK_SECONDS = 0.05
_BAR = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do.

    Attributes:
        sockets: How many in all.
        seconds: How long, the restart in the middle included.
        pace: Rooms that a worker gives up in a second.
        write_seconds: About how often each room is written.
    """

    sockets: int
    seconds: float
    pace: int
    write_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it. Times are those of `time.perf_counter`."""

    register: Register
    begun_at: float
    restart: tuple[float, float]
    missing: int
    foreign: int
    wrong_hashes: int
    absent: int


async def roll(machines: Machines) -> None:
    """Replace all workers, machine after machine."""
    for node in machines.nodes:
        before = pids_of(node)
        os.kill(node.supervisor(), signal.SIGHUP)
        async with asyncio.timeout(2 * PATIENCE_SECONDS * WORKERS):
            while len(pids_of(node) - before) < WORKERS:  # noqa: ASYNC110 -- nobody tells us
                await asyncio.sleep(_LOOK_SECONDS)
        await machines.whole()


def pids_of(node: Node) -> set[int]:
    """The workers of a machine that run now."""
    found = set()
    for slot in range(WORKERS):
        try:
            found.add(node.worker(slot))
        except LookupError:
            continue
    return found


async def run(folder: Path, plan: Plan, tick: Progress) -> Found:
    """Do it all.

    Raises:
        RuntimeError: nginx is not installed.
    """
    settings = {**SETTINGS, "STATEROOM_DRAIN_ROOMS_PER_SECOND": str(plan.pace)}
    opening = tick.add_task("sockets", total=plan.sockets)
    machines = Machines(folder, lease_seconds=LEASE_SECONDS, proxy=Nginx, settings=settings)
    async with machines, asyncio.TaskGroup() as tasks:
        if machines.proxy is None:
            raise RuntimeError(Nginx.missing())
        crowd = Crowd(
            machines.proxy.port,
            rooms=plan.sockets // CLIENTS_A_ROOM,
            clients=CLIENTS_A_ROOM,
            write_seconds=plan.write_seconds,
        )
        try:
            await crowd.come(tasks, lambda: tick.advance(opening))
            begun_at = time.perf_counter()
            rolling = tick.add_task("before the restart", total=plan.seconds)
            await _wait_until(begun_at + plan.seconds / 3, begun_at, tick)
            tick.update(rolling, description="rolling restart")
            roll_begun = time.perf_counter()
            restarting = tasks.create_task(roll(machines))
            while not restarting.done():
                await _wait_until(time.perf_counter() + _LOOK_SECONDS, begun_at, tick)
            await restarting
            restart = (roll_begun, time.perf_counter())
            tick.update(rolling, description="after the restart")
            end = max(begun_at + plan.seconds, restart[1] + plan.seconds / 4)
            await _wait_until(end, begun_at, tick)
            absent = await _silence(crowd)
        finally:
            crowd.leave()
        looked = await look(machines.proxy.port, crowd, tick)
        return Found(
            register=crowd.register, begun_at=begun_at, restart=restart, absent=absent, **looked
        )


async def look(port: int, crowd: Crowd, tick: Progress) -> dict[str, int]:
    """Join every room with nothing in hand and compare."""
    missing = foreign = wrong = 0
    for room in tick.track(crowd.rooms, description="newcomers"):
        joined = await Joiner().join(port, room)
        acknowledged = crowd.register.acknowledged.get(room, {})
        sent = crowd.register.sent.get(room, {})
        missing += sum(joined.cells.get(place) != leaf for place, leaf in acknowledged.items())
        foreign += sum(sent.get(place) != leaf for place, leaf in joined.cells.items())
        wrong += joined.hashes != content_hashes(joined.cells)
    return {"missing": missing, "foreign": foreign, "wrong_hashes": wrong}


async def _silence(crowd: Crowd) -> int:
    """Let nobody write any more; how many have not come back in time."""
    try:
        await crowd.fall_silent(PATIENCE_SECONDS)
    except TimeoutError:
        return len(crowd.rooms) * CLIENTS_A_ROOM - crowd.inside
    return 0


async def _wait_until(moment: float, begun_at: float, tick: Progress) -> None:
    while (now := time.perf_counter()) < moment:
        tick.update(tick.task_ids[-1], completed=now - begun_at)
        await asyncio.sleep(min(1.0, moment - now))


def busiest(times: Sequence[float], window_seconds: float) -> int:
    """The most moments within any window of that length."""
    ordered, first, most = sorted(times), 0, 0
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - window_seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def faults_of(found: Found, plan: Plan) -> list[str]:
    """What must not be; empty when all is well."""
    register = found.register
    allowed = plan.pace * CLIENTS_A_ROOM * WINDOW_SECONDS * PACE_TOLERANCE
    most = busiest(register.losses, WINDOW_SECONDS)
    wrong = {
        f"{found.missing} acknowledged changes are lost": found.missing,
        f"{found.foreign} cells are there that nobody wrote so": found.foreign,
        f"{found.wrong_hashes} rooms tell wrong hashes": found.wrong_hashes,
        f"{found.absent} clients did not come back": found.absent,
        "nothing was acknowledged": not register.acknowledged,
        "nobody was sent away": not register.losses,
        f"{most} sockets ended in {WINDOW_SECONDS} s, {allowed:.0f} may": most > allowed,
    }
    return [text for text, is_so in wrong.items() if is_so]


def tell(found: Found, plan: Plan, console: Console) -> None:
    """Print the histogram and the figures."""
    register, (first, last) = found.register, found.restart
    seconds = int(last - first) + 2
    lost, back = [0] * seconds, [0] * seconds
    for times, counts in (
        (register.losses, lost),
        ([each.back_at for each in register.returns], back),
    ):
        for moment in times:
            if 0 <= moment - first < seconds:
                counts[int(moment - first)] += 1
    pace = plan.pace * CLIENTS_A_ROOM
    scale = _BAR / max(pace, *back)
    console.print(f"sockets a second of the restart (the pace is {pace}): sent away, back")
    for second, (gone, come) in enumerate(zip(lost, back, strict=True)):
        bar = "█" * round(come * scale)
        console.print(f"{second:4d} s {gone:5d} {come:5d} {bar}", highlight=False)
    away = [each.back_at - each.lost_at for each in register.returns] or [0.0]
    parts = [f"p{part * 100:g} {percentile(away, part):.2f} s" for part in (0.5, 0.9, 0.99, 1)]
    acknowledged = sum(map(len, register.acknowledged.values()))
    unknown = sum(map(len, register.sent.values())) - acknowledged
    console.print(f"away: {', '.join(parts)}", highlight=False)
    console.print(
        f"{acknowledged:,} changes acknowledged, {unknown:,} with an unknown end, "
        f"{found.missing} lost; {len(register.losses):,} sockets ended, the restart took "
        f"{last - first:.0f} s, busiest {WINDOW_SECONDS} s: "
        f"{busiest(register.losses, WINDOW_SECONDS)}",
        highlight=False,
    )
    for name, counter in (("ended", register.reasons), ("refused", register.refusals)):
        for reason, count in counter.most_common(8):
            console.print(f"{name}: {count:,} {reason}", highlight=False, markup=False)


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.rolling_restart", description=__doc__)
    parser.add_argument("--sockets", type=int, default=2_000, help="how many (2000)")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (600)")
    parser.add_argument("--pace", type=int, default=25, help="rooms given up a second (25)")
    parser.add_argument(
        "--write-seconds", type=float, default=5.0, help="how often a room is written (5)"
    )
    plan = Plan(**vars(parser.parse_args()))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    # nginx takes two descriptors a socket.
    if allow_descriptors(3 * plan.sockets) < 3 * plan.sockets:
        console.print("too few file descriptors: raise `ulimit -n`", style="red")
        return 1
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="rolling-", ignore_cleanup_errors=True) as folder,
        Progress(*columns, console=console) as tick,
    ):
        found = asyncio.run(run(Path(folder), plan, tick))
    tell(found, plan, console)
    faults = faults_of(found, plan)
    for fault in faults:
        console.print(f"FAULT: {fault}", style="red", highlight=False)
    console.print("FAILED" if faults else "passed", style="red" if faults else "green")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
