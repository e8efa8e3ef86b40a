"""`python -m bench.backup`: how long rooms by the thousand take out of a database and into another.

One server exports everything into a file; another one, on an empty database, imports it, then
imports it again, which finds all of it there. Two databases of one Postgres with its durability
on. Told are seconds, rooms a second, and how much the server's memory grew at the most.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from tests.cluster.backup_runs import (
    ADMIN,
    Door,
    Resident,
    Rooms,
    digests,
    fill,
    second_database,
)
from tests.cluster.server import ServerProcess

MEGABYTE = 1 << 20


class Run:
    """One measurement."""

    def __init__(self, folder: Path, rooms: Rooms, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._rooms = rooms
        self._stack = stack
        self.table = Table("", "seconds", "rooms/s", "memory +MB")

    async def server(self, name: str, url: str) -> ServerProcess:
        """Start a server on a database."""
        place = self._folder / name
        place.mkdir(mode=0o711)
        server = ServerProcess(place, database_url=url, **ADMIN)
        self._stack.push_async_callback(server.close)
        await server.start()
        return server

    async def measure(self, url: str) -> bool:
        """Returns whether the second database holds what the first does."""
        rooms = self._rooms
        await fill(url, rooms)
        second = await second_database(url)
        file = self._folder / "export.ndjson"

        source = await self.server("source", url)
        door, memory = Door(source), Resident(source)
        began = time.perf_counter()
        size = await door.export(file, memory.look)
        self._note(f"export, {size / MEGABYTE:.0f} MB", began, memory)
        await door.close()
        await source.close()

        target = await self.server("target", second)
        door = Door(target)
        for what in ("import", "import again"):
            memory = Resident(target)

            async def look(_sent: int, memory: Resident = memory) -> None:
                memory.look()

            began = time.perf_counter()
            told = await door.take(file, look)
            self._note(what, began, memory)
            if told[-1]["refused"]:
                return False
        await door.close()
        return await digests(url) == await digests(second)

    def _note(self, what: str, began: float, memory: Resident) -> None:
        seconds = time.perf_counter() - began
        grown = f"{memory.most_grown / MEGABYTE:.0f}"
        self.table.add_row(what, f"{seconds:.1f}", f"{self._rooms.count / seconds:.0f}", grown)


async def run(folder: Path, rooms: Rooms) -> tuple[Table, bool]:
    """Measure once."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(DataDirectory(folder / "database"))
        postgres = await stack.enter_async_context(EmbeddedPostgres(directory))
        await migrate(postgres.url)
        measured = Run(folder, rooms, stack)
        equal = await measured.measure(postgres.url)
        return measured.table, equal


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--row-bytes", type=int, default=200)
    asked = parser.parse_args()
    rooms = Rooms(count=asked.rooms, rows=asked.rows, row_bytes=asked.row_bytes)
    with tempfile.TemporaryDirectory(prefix="stateroom-") as folder:
        Path(folder).chmod(0o711)  # Postgres's user passes through it
        table, equal = asyncio.run(run(Path(folder), rooms))
    console = Console()
    console.print(table)
    console.print("every content hash equal" if equal else "NOT EQUAL")


if __name__ == "__main__":
    main()
