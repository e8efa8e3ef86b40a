"""`python -m bench.heartbeat`: what rooms that do nothing cost Postgres.

Workers prove that they live by renewing one row each, whatever they hold. Held here are 0, 1,000
and 10,000 idle rooms by two workers, made by a request each; counted are the transactions of the
database and the updates of the two tables that a heartbeat could touch, while nobody asks for
anything. The last column is Postgres's own processor time, all its processes together.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.client import HOST
from bench.measurement import free_port
from bench.process import ServerProcess

WORKERS = 2
CROWDS = (0, 1_000, 10_000)
SECONDS = 30.0
CALLERS = 16
REQUESTS_A_CONNECTION = 25
# Postgres's sessions tell their counters about once a second while they are used; the alarm
# scheduler and the lease use theirs more often than that, the rest must be idle long enough.
SETTLE_SECONDS = 12.0
_ENVIRONMENT = {
    "STATEROOM_NAMESPACES": "still=bench.still:Still",
    "STATEROOM_WORKERS": str(WORKERS),
    "STATEROOM_EVICT_SECONDS": "86400",
    # A busy machine must not end a lease while it is measured; the renewals stay what they are.
    "STATEROOM_LEASE_SECONDS": "30",
}
_COUNTERS = """
select d.xact_commit + d.xact_rollback as transactions, w.n_tup_upd as leases,
       o.n_tup_upd as objects,
       (select count(*) from object join worker l using (worker_id) where l.state = 'live') as held
from pg_stat_database d, pg_stat_user_tables w, pg_stat_user_tables o
where d.datname = current_database() and w.relname = 'worker' and o.relname = 'object'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What was counted while so many rooms were held.

    Attributes:
        rooms: How many, by the database's own word.
        transactions: Of the whole database, a second; the measuring itself taken off.
        leases: Updates of rows of `worker`, a second.
        objects: Updates of rows of `object`, a second.
        postgres_share: Postgres's processor time, as a share of one core.
    """

    rooms: int
    transactions: float
    leases: float
    objects: float
    postgres_share: float


class Crowd:
    """Rooms that are made, each by one request, and then left alone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._made = 0

    async def grow_to(self, rooms: int, tick: Progress) -> None:
        """Make more rooms, until there are so many."""
        task = tick.add_task(f"{rooms:,} rooms: made", total=rooms, completed=self._made)
        numbers = iter(range(self._made, rooms))
        async with asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(self._call(numbers, lambda: tick.advance(task)))
        self._made = rooms

    async def _call(self, numbers: Iterator[int], made: Callable[[], None]) -> None:
        """Ask for one room after another, on connections of a few requests each."""
        while mine := list(islice(numbers, REQUESTS_A_CONNECTION)):
            reader, writer = await asyncio.open_connection(HOST, self._port)
            for number in mine:
                target = f"/objects/still/room-{number}"
                writer.write(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 204 " not in head.partition(b"\r\n")[0]:
                    raise RuntimeError(f"{target}: {head.decode(errors='replace')}")
                made()
            writer.close()


async def rate(
    database: asyncpg.Connection[asyncpg.Record], server: ServerProcess, seconds: float
) -> Rate:
    """Count for so long; nobody may ask the server for anything meanwhile."""
    await asyncio.sleep(SETTLE_SECONDS)
    before, cpu, begun = await database.fetchrow(_COUNTERS), server.tree.cpu(), time.perf_counter()
    await asyncio.sleep(seconds)
    after, passed = await database.fetchrow(_COUNTERS), time.perf_counter() - begun
    used = server.tree.cpu() - cpu
    if before is None or after is None:
        raise RuntimeError("the tables are not there")
    return Rate(
        rooms=after["held"],
        transactions=(after["transactions"] - before["transactions"] - 1) / passed,
        leases=(after["leases"] - before["leases"]) / passed,
        objects=(after["objects"] - before["objects"]) / passed,
        postgres_share=used.postgres / passed,
    )


async def measure(
    folder: Path, crowds: Sequence[int], seconds: float, tick: Progress
) -> list[Rate]:
    """Start the workers, and count with each crowd."""
    port = free_port()
    data = folder / "data"
    command = [sys.executable, "-m", "stateroom", "serve", "--port", str(port)]
    command += ["--data-dir", str(data)]
    server = ServerProcess(command, port=port, log=folder / "server.log", env=_ENVIRONMENT)
    rates: list[Rate] = []
    try:
        await server.ready("/readyz")
        url = f"postgresql://stateroom@/postgres?host={data / 'postgres'}"
        database = await asyncpg.connect(url)
        crowd = Crowd(port)
        for rooms in crowds:
            await crowd.grow_to(rooms, tick)
            counting = tick.add_task(f"{rooms:,} rooms: counted for {seconds:.0f} s", total=1)
            rates.append(await rate(database, server, seconds))
            tick.advance(counting)
        await database.close()
    except Exception as error:
        raise RuntimeError(f"the server's last words: {server.last_words()}") from error
    finally:
        await server.stop()
    return rates


def report(rates: Sequence[Rate]) -> str:
    """The table, as Markdown."""
    lines = [
        "| rooms held | transactions/s | updates/s: `worker` | `object` | Postgres, of a core |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.rooms:,} | {one.transactions:.1f} | {one.leases:.1f} | {one.objects:.1f} "
        f"| {one.postgres_share:.1%} |"
        for one in rates
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.heartbeat",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rooms", type=int, nargs="+", default=CROWDS, help="crowds to hold")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each is counted")
    given = parser.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        tempfile.TemporaryDirectory(prefix="heartbeat-", ignore_cleanup_errors=True) as folder,
        Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as tick,
    ):
        Path(folder).chmod(0o711)  # Postgres may run as another user below it
        rates = asyncio.run(measure(Path(folder), sorted(given.rooms), given.seconds, tick))
    sys.stdout.write(f"{report(rates)}\n")


if __name__ == "__main__":
    main()
