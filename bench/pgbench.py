"""`python -m bench.pgbench`: what a commit of one row costs on a database, told by pgbench itself.

The yardstick of durability: a C client on a Unix socket, prepared statements, one row a
transaction, as an upsert over 10,000 rows and as a plain insert. Whatever commits messages has to
be held against the better of the two. Run by itself it measures an embedded Postgres with the
settings that `stateroom serve` gives it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from app.store.binaries import find_binaries
from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from bench.rows import Better, Figure, Tick
from bench.usage import ProcessTree

SECONDS = 1.0
MANY_CLIENTS = 8
_SETUP = """
create schema if not exists bench_pgbench;
create table bench_pgbench.kept (id integer primary key, value bytea not null);
create table bench_pgbench.logged (id bigserial primary key, value bytea not null);
insert into bench_pgbench.kept select n, decode(repeat('00', 100), 'hex')
from generate_series(1, 10000) n;
"""
_VALUE = "decode(repeat('5a', 100), 'hex')"
SCRIPTS = {
    "upsert": "\\set id random(1, 10000)\n"
    f"insert into bench_pgbench.kept values (:id, {_VALUE})\n"
    "on conflict (id) do update set value = excluded.value;\n",
    "insert": f"insert into bench_pgbench.logged (value)\nvalues ({_VALUE});\n",
}
_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """What one run of pgbench saw: commits a second, the median time of one, its processor time.

    The last is that of pgbench and of a Postgres that this process has started, together.
    """

    per_second: float
    p50_ms: float
    cpu_us: float = 0.0


def find_pgbench() -> Path:
    """Return pgbench, beside the embedded Postgres or on the path.

    Raises:
        RuntimeError: It is not installed.
    """
    beside = find_binaries().folder / "pgbench"
    found = str(beside) if beside.is_file() else shutil.which("pgbench")
    if found is None:
        raise RuntimeError("pgbench is neither beside the embedded Postgres nor on the path")
    return Path(found)


@asynccontextmanager
async def tables(url: str) -> AsyncIterator[None]:
    """Make the tables that `commits` needs in a schema of their own, and drop them afterwards."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_SETUP)
        try:
            yield
        finally:
            await connection.execute("drop schema bench_pgbench cascade")
    finally:
        await connection.close()


async def commits(
    url: str, script: str, *, clients: int, seconds: float = SECONDS, timed: bool = False
) -> Commits:
    """Commit one row after another with so many clients; `tables` must be there.

    Args:
        url: Where the database is.
        script: `upsert` or `insert`.
        clients: How many connections, each with one transaction in flight.
        seconds: For how long.
        timed: Log every transaction, for the median of its time; else `p50_ms` is the mean.

    Raises:
        RuntimeError: pgbench is not there or failed, with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="pgbench-") as folder:
        place = Path(folder)
        (place / "script").write_text(SCRIPTS[script])
        options = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2))]
        duration = max(1, round(seconds))
        options += ["-T", str(duration), "-f", "script"]
        tree = ProcessTree(os.getpid())
        before = await asyncio.to_thread(tree.cpu)
        process = await asyncio.create_subprocess_exec(
            str(find_pgbench()),
            *options,
            *(["--log"] if timed else []),
            url,
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode(errors="replace")
        found = _RATE.search(output)
        if process.returncode or found is None:
            raise RuntimeError(f"pgbench ended with {process.returncode}: {output[-400:]}")
        rate = float(found[1])
        p50 = _median_ms(place) if timed else clients / rate * 1e3
        used = await asyncio.to_thread(tree.cpu) - before
        return Commits(per_second=rate, p50_ms=p50, cpu_us=used.total * 1e6 / (rate * duration))


def _median_ms(folder: Path) -> float:
    """The third field of each line of the log is the time of a transaction in microseconds."""
    lines = (line for log in folder.glob("pgbench_log.*") for line in log.read_text().splitlines())
    return statistics.median(int(line.split()[2]) for line in lines) / 1e3


async def yardstick(url: str, rounds: int, tick: Tick, seconds: float = SECONDS) -> list[Figure]:
    """Measure both kinds with one client and with eight on a running database.

    The figures, medians over the rounds, for the names `upsert` and `insert`:
    `pgbench NAME, 1 client: p50` (ms), `pgbench NAME, 8 clients` (commits/s) and
    `pgbench NAME, 8 clients: CPU` (us a commit, pgbench and Postgres together).
    """
    alone: dict[str, list[Commits]] = {name: [] for name in SCRIPTS}
    together: dict[str, list[Commits]] = {name: [] for name in SCRIPTS}
    async with tables(url):
        for number in range(rounds):
            for name in SCRIPTS:
                tick(f"pgbench {name}, round {number + 1}")
                alone[name].append(await commits(url, name, clients=1, seconds=seconds, timed=True))
                together[name].append(
                    await commits(url, name, clients=MANY_CLIENTS, seconds=seconds)
                )
    return [figure for name in SCRIPTS for figure in _figures(name, alone[name], together[name])]


def _figures(name: str, alone: list[Commits], together: list[Commits]) -> list[Figure]:
    many = f"pgbench {name}, {MANY_CLIENTS} clients"
    rate = statistics.median(each.per_second for each in together)
    return [
        Figure(
            name=f"pgbench {name}, 1 client: p50",
            value=statistics.median(each.p50_ms for each in alone),
            unit="ms",
        ),
        Figure(name=many, value=rate, unit="commits/s", better=Better.HIGHER),
        Figure(
            name=f"{many}: CPU",
            value=statistics.median(each.cpu_us for each in together),
            unit="us",
        ),
    ]


async def measure(rounds: int, tick: Tick) -> list[Figure]:
    """Return the yardstick of an embedded Postgres that is made for it and thrown away.

    Raises:
        RuntimeError: pgbench is not there or failed.
    """
    with tempfile.TemporaryDirectory(prefix="pgbench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # noqa: ASYNC240 -- for the user that Postgres runs as
        with DataDirectory(Path(folder) / "data") as directory:
            async with EmbeddedPostgres(directory) as postgres:
                return await yardstick(postgres.url, rounds, tick)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.pgbench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    for figure in asyncio.run(measure(rounds, lambda what: print(what, file=sys.stderr))):
        print(f"{figure.name}: {figure.value:,.3g} {figure.unit}")


if __name__ == "__main__":
    main()
