"""`python -m bench.churn`: clients come and go, each in a room of its own, and nothing may stay.

Waves of connections, every one the activation of another room, some with a row to store; then all
leave, and the rooms are released. After each wave the memory of the server is read. What a million
of them would leave behind is the slope over the last two thirds; the first third is warm-up. When
that is more than the bound and more than readings differ by themselves, as many come again, up to
three times: a heap grows in steps and stops, a leak goes on (docs/decisions/0054). Exit status 1
when no stretch was flat.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import fmean, linear_regression
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.held import TOKEN_SETTING, wait_until_held
from bench.hlc import HlcClock, digits
from bench.idlers import IdlerCrowd, allow_descriptors
from bench.measurement import free_port
from bench.messages import broadcast, many_rows
from bench.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

CONNECTS = 60_000
FULL = 1_000_000
WAVE = 2_000
SPEAKERS = 10
"""One of so many stores a row."""
GROWTH_SHARE = 0.04
MOST_BYTES_EACH = 64.0
STRETCHES = 3
MIB = 1 << 20
_SETTINGS = {
    "STATEROOM_IDLE_SECONDS": "1",
    "STATEROOM_EVICT_SECONDS": "1",
    "STATEROOM_LEASE_SECONDS": "60",
    "STATEROOM_LOG_LEVEL": "warning",
}

Reading = tuple[int, int]
"""How many have come by then, and the bytes of the server."""


class Churn:
    """One run. The server's data and log lie in `folder`."""

    def __init__(self, folder: Path, connects: int, tick: Progress) -> None:
        folder.chmod(0o711)  # Postgres may run as another user below it
        self._folder = folder
        self._connects = connects
        self._tick = tick
        self._port = free_port()
        self._clock = HlcClock()

    async def run(self) -> list[list[Reading]]:
        """Let them come and go; return the readings of each stretch."""
        command = [sys.executable, "-m", "stateroom", "serve", "--port", str(self._port)]
        command += ["--host", "127.0.0.1", "--data-dir", str(self._folder / "data")]
        env = {**_SETTINGS, **TOKEN_SETTING}
        log = self._folder / "log"
        server = ServerProcess(command, port=self._port, log=log, env=env)
        come = 0

        async def stretch() -> list[Reading]:
            nonlocal come
            task = self._tick.add_task("connections, a room each", total=self._connects)
            readings: list[Reading] = []
            for first in range(come, come + self._connects, WAVE):
                await self._wave(first, lambda: self._tick.advance(task))
                readings.append((first + WAVE, server.tree.memory().server))
            come = readings[-1][0]
            return readings

        try:
            await server.ready("/readyz")
            return await until_flat(stretch)
        except Exception as error:
            raise RuntimeError(f"{error}; it said {server.last_words()}") from error
        finally:
            await server.stop()

    async def _wave(self, first: int, opened: Callable[[], None]) -> None:
        crowd = IdlerCrowd(self._port, lambda number: f"churn/room-{first + number}", self._message)
        await crowd.grow_to(WAVE, opened)
        crowd.shrink_to_none()
        await wait_until_held(self._port, lambda held: not (held.rooms or held.connections))

    def _message(self, number: int) -> bytes:
        if number % SPEAKERS:
            return b""
        return broadcast(many_rows(0, 1, digits(1, 5), self._clock).remainder)


def left_by_each(readings: Sequence[Reading]) -> float:
    """Bytes that one connection leaves behind: the slope of the last two thirds."""
    late = readings[len(readings) // 3 :]
    slope, _ = linear_regression([count for count, _ in late], [size for _, size in late])
    return slope


def verdict(readings: Sequence[Reading]) -> str | None:
    """Why this is a leak; None when it is none."""
    third = len(readings) // 3
    before = fmean(size for _, size in readings[third : 2 * third])
    after = fmean(size for _, size in readings[2 * third :])
    each = left_by_each(readings)
    if each > MOST_BYTES_EACH and after - before > GROWTH_SHARE * before:
        return f"each leaves {each:.0f} bytes behind"
    return None


async def until_flat(stretch: Callable[[], Awaitable[list[Reading]]]) -> list[list[Reading]]:
    """Go on until a stretch is flat, or so many were not that it is a leak; return them all."""
    stretches = [await stretch()]
    while verdict(stretches[-1]) is not None and len(stretches) < STRETCHES:
        stretches.append(await stretch())
    return stretches


def watch_for_churn(connects: int) -> int:
    """Let so many come and go, print what was found, and return the exit status."""
    allow_descriptors(WAVE)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="churn-", ignore_cleanup_errors=True) as folder,
        Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as tick,
    ):
        stretches = asyncio.run(Churn(Path(folder), connects, tick).run())
    readings = [reading for each in stretches for reading in each]
    for count, size in readings[:: max(1, len(readings) // 20)]:
        print(f"{count:>10,} connections: {size / MIB:8.1f} MiB")
    for each in stretches:
        print(f"each leaves {left_by_each(each):.1f} bytes behind (last two thirds)")
    leak = verdict(stretches[-1])
    print(leak or "flat")
    return 1 if leak else 0


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.churn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--connects", type=int, default=CONNECTS, help=f"how many ({CONNECTS:,})")
    parser.add_argument("--full", action="store_true", help=f"{FULL:,}: a day of a busy server")
    given = parser.parse_args()
    connects = FULL if given.full else given.connects
    if connects < 6 * WAVE:
        parser.error(f"fewer than {6 * WAVE:,} say nothing")
    return watch_for_churn(connects)


if __name__ == "__main__":
    sys.exit(main())
