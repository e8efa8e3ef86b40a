"""`python -m bench.stored`: what TinyBase rooms take on the disk of Postgres, per room and per row.

One server with an embedded Postgres. Rooms of ten rows of four cells are made over the admin API;
what the tables of objects have grown by, with their indexes, is divided by rooms and rows. Sizes do
not depend on how busy the machine is. The admin plane's own records (its audit) are not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.core.clock import SystemClock
from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from tests.cluster.backup_runs import ADMIN, TOKEN
from tests.cluster.server import ServerProcess

ROWS = 10
AT_ONCE = 8
TABLES = ("object", "object_row", "object_history", "history_account", "object_listing")
_SIZE = "select pg_table_size($1::text::regclass) + pg_indexes_size($1::text::regclass)"
_LISTED = "select count(*) from object_listing"
_PUT = "/admin/v1/namespaces/tinybase/objects/room-{}/content"


def content(rows: int = ROWS) -> dict[str, object]:
    """A list of tasks, four cells each."""
    task = {"title": "Water the plants", "done": False, "rank": 3, "owner": "somebody"}
    return {"tables": {"tasks": {f"task-{number}": task for number in range(rows)}}, "values": {}}


async def make(url: str, rooms: int, progress: Progress) -> None:
    """Make the rooms over the admin API."""
    bar = progress.add_task("rooms", total=rooms)
    numbers = iter(range(rooms))
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:

        async def some() -> None:
            for number in numbers:
                answer = await client.put(_PUT.format(number), json=content())
                answer.raise_for_status()
                progress.advance(bar)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some())


async def sizes(connection: asyncpg.Connection) -> dict[str, int]:
    """Bytes of each table with its indexes and what is stored out of line."""
    return {table: await connection.fetchval(_SIZE, table) for table in TABLES}


async def run(folder: Path, rooms: int) -> Table:
    """Measure once."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory(folder / "database"))
        postgres = await stack.enter_async_context(EmbeddedPostgres(directory))
        await migrate(postgres.url)
        connection = await asyncpg.connect(postgres.url)
        stack.push_async_callback(connection.close)
        before = await sizes(connection)
        place = folder / "server"
        place.mkdir(mode=0o711)
        server = ServerProcess(place, database_url=postgres.url, **ADMIN)
        stack.push_async_callback(server.close)
        await server.start()
        with Progress(transient=True) as progress:
            await make(server.url.replace("ws:", "http:"), rooms, progress)
        async with asyncio.timeout(120):
            while await connection.fetchval(_LISTED) < rooms:
                await SystemClock().sleep(0.5)
        grown = {table: size - before[table] for table, size in (await sizes(connection)).items()}
    return told(grown, rooms)


def told(grown: dict[str, int], rooms: int) -> Table:
    """The growth by room, and what a row has of it."""
    table = Table("table", "bytes a room", f"a row, of {ROWS}")
    for name, size in grown.items():
        share = f"{size / rooms / ROWS:.0f}" if name in {"object_row", "object_history"} else ""
        table.add_row(name, f"{size / rooms:,.0f}", share)
    table.add_row("together", f"{sum(grown.values()) / rooms:,.0f}", "")
    return table


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=5_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stateroom-") as folder:
        Path(folder).chmod(0o711)  # Postgres's user passes through it
        Console().print(asyncio.run(run(Path(folder), asked.rooms)))


if __name__ == "__main__":
    main()
