"""Imports at one worker into objects that live at another."""

from collections.abc import AsyncIterator
from typing import Any

from app.cluster.backups import Backups
from app.cluster.importing import ImportOptions
from app.cluster.landing import ImportMode
from app.core.clock import DatabaseClock
from app.sdk import Connection, DurableObject
from app.testing.memory import MemoryDatabase
from app.testing.memory_backup import MemoryBackupSource, MemoryStaging
from app.testing.memory_history import MemoryObjectHistory
from tests.integration.cluster.test_moving import until
from tests.integration.cluster.workers import Worker

REPLACE = ImportOptions(mode=ImportMode.REPLACE)


class Notebook(DurableObject):
    """Knows one word, in memory and stored."""

    async def on_start(self) -> None:
        self.word = await self.ctx.storage.get("word", "none")

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message != "?":
            self.word = str(message)
            self.ctx.storage.put("word", self.word)
        connection.send(self.word)


def backups_of(worker: Worker) -> Backups:
    return Backups(
        worker.registry,
        worker.steering,
        source=MemoryBackupSource(worker.database),
        staging=MemoryStaging(worker.database),
        history=MemoryObjectHistory(worker.database),
        database_clock=DatabaseClock(worker.clock),
    )


async def pieces_of(export: bytes) -> AsyncIterator[bytes]:
    yield export


async def export_of(name: str, word: str) -> bytes:
    """An export of another cluster with one object."""
    async with Worker(MemoryDatabase(), {"notes": Notebook}) as worker:
        socket = await worker.connect("notes", name)
        socket.say(word)
        await until(lambda: socket.received == [word])
        exporter = backups_of(worker).exporter
        return b"".join([piece async for piece in exporter.all()])


async def take(worker: Worker, export: bytes, options: ImportOptions) -> str:
    told: list[dict[str, Any]] = []
    importer = backups_of(worker).importer
    await importer.run(pieces_of(export), options, lambda line: told.append({**line}))
    (found,) = [line for line in told if line["kind"] == "object"]
    return str(found.get("code") or found["result"])


async def test_an_object_that_lives_elsewhere_is_written_there_and_keeps_its_sockets() -> None:
    export = await export_of("a", "imported")
    database = MemoryDatabase()
    classes = {"notes": Notebook}
    async with Worker(database, classes) as owner, Worker(database, classes) as other:
        socket = await owner.connect("notes", "a")
        socket.say("mine")
        await until(lambda: socket.received == ["mine"])
        assert await take(other, export, ImportOptions()) == "object_not_empty"
        assert await take(other, export, REPLACE) == "imported"
        socket.say("?")
        await until(lambda: socket.received == ["mine", "imported"])
        assert owner.object_id("notes", "a") in owner.registry
        assert socket.closed is None


async def test_what_a_worker_imports_can_be_opened_by_another_at_once() -> None:
    export = await export_of("a", "imported")
    database = MemoryDatabase()
    classes = {"notes": Notebook}
    async with Worker(database, classes) as first, Worker(database, classes) as second:
        assert await take(first, export, ImportOptions()) == "imported"
        socket = await second.connect("notes", "a")
        socket.say("?")
        await until(lambda: socket.received == ["imported"])
        assert second.object_id("notes", "a") in second.registry
        assert await take(first, export, ImportOptions()) == "skipped"
