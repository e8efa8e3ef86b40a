"""Two workers in memory with their backups, and how tests read what an import tells."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, ClassVar

from app.cluster.backups import Backups
from app.cluster.importing import ImportOptions
from app.cluster.landing import ImportMode
from app.sdk import AlarmInfo, Connection, DurableObject
from app.testing.harness import ObjectHarness
from app.testing.memory_backup import MemoryBackupSource, MemoryStaging
from app.testing.memory_history import MemoryObjectHistory

REPLACE = ImportOptions(mode=ImportMode.REPLACE)
MERGE = ImportOptions(mode=ImportMode.MERGE)
DRY_RUN = ImportOptions(dry_run=True)
IF_EMPTY = ImportOptions()


class Notebook(DurableObject):
    """Keeps what it is told under a key, and one word in memory."""

    starts: ClassVar[int] = 0

    async def on_start(self) -> None:
        Notebook.starts += 1
        self.word = await self.ctx.storage.get("word", "none")

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "word":
            connection.send(self.word)
        else:
            key, _, value = str(message).partition("=")
            self.ctx.storage.put(key, value)

    async def on_alarm(self, info: AlarmInfo) -> None:
        """Nothing."""


class JsonNotebook(Notebook):
    """Has content of its own, in whose terms it is merged."""

    async def patch_content(self, path: list[str], patch: str) -> str | None:
        raise NotImplementedError


class Side:
    """A worker and its backups."""

    def __init__(self, harness: ObjectHarness) -> None:
        self.harness = harness
        self.staging = MemoryStaging(harness.database)
        self.source = MemoryBackupSource(harness.database)
        self.history = MemoryObjectHistory(harness.database)
        self.backups = Backups(
            harness.registry,
            harness.steering,
            source=self.source,
            staging=self.staging,
            history=self.history,
            database_clock=harness.database_clock,
        )

    async def store(self, name: str, entries: Mapping[str, Any], namespace: str = "notes") -> None:
        """Store as an object does, and let it go again."""
        target = self.harness.object_id(namespace, name)

        async def work(_instance: object, ctx: Any) -> None:
            for key, value in entries.items():
                ctx.storage.put(key, value)

        await self.harness.run_in_room(target, work)
        await self.harness.evict(target, close_sockets=True)

    async def set_alarm(self, name: str) -> None:
        target = self.harness.object_id("notes", name)

        async def work(_instance: object, ctx: Any) -> None:
            ctx.storage.set_alarm(ctx.now() + 3_600_000, name="tick", payload={"a": [1]})

        await self.harness.run_in_room(target, work)
        await self.harness.evict(target)

    async def export(self, namespace: str | None = None) -> bytes:
        return b"".join([piece async for piece in self.backups.exporter.all(namespace=namespace)])

    async def take(
        self, export: bytes | Iterable[bytes], options: ImportOptions = IF_EMPTY
    ) -> list[dict[str, Any]]:
        """Import; returns what is told."""
        told: list[dict[str, Any]] = []
        pieces = [export] if isinstance(export, bytes) else export
        await self.backups.importer.run(
            stream_of(pieces), options, lambda line: told.append({**line})
        )
        assert not self.staging.staged, "rows are left lying aside"
        return told

    def stored(self, name: str, namespace: str = "notes") -> dict[bytes, bytes]:
        return self.harness.stored(namespace, name)


async def stream_of(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def fates(told: list[dict[str, Any]]) -> dict[str, str]:
    """What became of each, by name; of those refused their code."""
    found = [line for line in told if line["kind"] == "object"]
    return {each["name"]: each.get("code") or each["result"] for each in found}


def summary(told: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [line for line in told if line["kind"] == "summary"]
    return dict(found)


CLASSES = {"notes": Notebook, "json": JsonNotebook}
