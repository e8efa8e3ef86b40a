"""`python -m bench.capacity`: what a number of rooms asks of workers, memory, disk and Postgres.

Sums of what was measured, each with its source; a plan for hardware begins here and ends with a
measurement of the own load (`make bench`). Processor time is that of the machine of
docs/reference/performance.md: measure there and here with `python -m bench` and scale by the ratio.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields

KIB = 1024
DAY_SECONDS = 86_400

# docs/reference/performance.md (rows `pair`, `rooms`, `many`) and ADR 37, KiB and microseconds.
WORKER_MIB = 100  # a worker with its modules loaded
CONNECTION_KIB = 11.1  # a hibernated room with one socket: the room's shell is in it
ACTIVE_ROOM_KIB = 27.5  # ten rows, awake, beside its connections
CONTENT_FACTOR = 3.0  # bytes of memory for a stored byte of a room that is awake: an allowance
COMMIT_US = 17.0  # worker, a message that commits in a busy group (`rooms`, without deliveries)
LONE_COMMIT_US = 108.0  # worker, a message that commits alone (`pair`, without its delivery)
DELIVERY_US = 5.0  # worker, each recipient of a message
POSTGRES_US = 22.0  # Postgres, a message in groups of ten
LONE_POSTGRES_US = 159.0  # Postgres, a message that commits alone

# `python -m bench.stored`; docs/guides/postgres-tuning.md; docs/guides/time-travel.md.
ROOM_BYTES = 1_130  # tables of objects and of lists, without rows
ROW_BYTES = 407  # a row of four short cells, with its index
LOG_BYTES = 650  # WAL, a commit of one value with history, whole pages apart
HISTORY_BYTES = 190  # a replaced row of that size, until it expires
CORE_SHARE = 0.6  # of a core that is planned to be busy: the rest is for bursts and for failover


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is expected, at the busiest time.

    Attributes:
        rooms: All that are stored.
        rows: Rows in each.
        connections: Sockets open at once, over all rooms.
        awake: Rooms that had an event within `idle_seconds`.
        messages: Changes a second, over all rooms.
        recipients: Other clients in a room that has a change.
        history_days: How long replaced values are kept.
        busy_hours: Hours a day at that rate.
    """

    rooms: int = 100_000
    rows: int = 10
    connections: int = 5_000
    awake: int = 1_000
    messages: float = 1_000
    recipients: float = 4
    history_days: float = 7
    busy_hours: float = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it asks for.

    Attributes:
        worker_cores: Cores for workers at `CORE_SHARE`, from full groups to commits that are alone.
        workers: Processes: one for each of those cores, and one to lose.
        worker_gib: Memory of all workers.
        postgres_cores: Cores for Postgres, likewise.
        disk_gib: Rows, lists and history.
        log_mib_s: WAL at the busiest time.
        database_connections: At the default of `database_connections`.
    """

    worker_cores: tuple[float, float]
    workers: int
    worker_gib: float
    postgres_cores: tuple[float, float]
    disk_gib: float
    log_mib_s: float
    database_connections: int


def plan(load: Load) -> Plan:
    """What a load asks for."""
    delivered_us = DELIVERY_US * load.recipients
    cores = _cores(load, COMMIT_US + delivered_us, LONE_COMMIT_US + delivered_us)
    workers = math.ceil(cores[1]) + 1
    stored = ROOM_BYTES + ROW_BYTES * load.rows
    awake_kib = ACTIVE_ROOM_KIB + CONTENT_FACTOR * ROW_BYTES * load.rows / KIB
    memory_kib = load.connections * CONNECTION_KIB + load.awake * awake_kib
    changes = load.messages * load.busy_hours / 24 * DAY_SECONDS * load.history_days
    disk = load.rooms * stored + changes * HISTORY_BYTES
    return Plan(
        worker_cores=cores,
        workers=workers,
        worker_gib=workers * WORKER_MIB / KIB + memory_kib / KIB**2,
        postgres_cores=_cores(load, POSTGRES_US, LONE_POSTGRES_US),
        disk_gib=disk / KIB**3,
        log_mib_s=load.messages * LOG_BYTES / KIB**2,
        database_connections=workers * 9,
    )


def _cores(load: Load, least_us: float, most_us: float) -> tuple[float, float]:
    """Cores for the messages of a load, at what one costs least and most."""
    busy = load.messages / 1e6 / CORE_SHARE
    return busy * least_us, busy * most_us


EXAMPLES = {
    "a team": Load(rooms=1_000, connections=100, awake=30, messages=50),
    "a product": Load(rooms=100_000, connections=5_000, awake=1_000, messages=1_000),
    "a million rooms": Load(
        rooms=1_000_000, connections=50_000, awake=10_000, messages=10_000, history_days=1
    ),
}


def table(loads: dict[str, Load]) -> str:
    """The loads and their plans, as a table in Markdown."""
    plans = {name: plan(load) for name, load in loads.items()}
    rows = [["", *loads], ["---", *("---:" for _ in loads)]]
    for field in fields(Load):
        values = (f"{getattr(load, field.name):,}" for load in loads.values())
        rows.append([field.name.replace("_", " "), *values])
    rows += [
        ["**cores of workers**", *(_range(each.worker_cores) for each in plans.values())],
        ["**workers**", *(f"{each.workers}" for each in plans.values())],
        ["**memory of workers, GiB**", *(f"{each.worker_gib:.1f}" for each in plans.values())],
        ["**cores of Postgres**", *(_range(each.postgres_cores) for each in plans.values())],
        ["**disk, GiB**", *(f"{each.disk_gib:,.1f}" for each in plans.values())],
        ["**log, MiB/s**", *(f"{each.log_mib_s:.2f}" for each in plans.values())],
        ["**connections to Postgres**", *(f"{p.database_connections}" for p in plans.values())],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def main() -> None:
    """Print the plan of the load that the command line tells, or those of the examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Load):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=None)
    asked = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    print(table({"your load": Load(**asked)} if asked else EXAMPLES))


if __name__ == "__main__":
    main()
