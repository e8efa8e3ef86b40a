"""Importing an export: what comes is read once, checked, and written object by object.

Small objects are written many at a time, large ones by themselves; memory holds one group and
one object's rows up to a bound (`gathering`). What is wrong with one object is told with its line,
and the others go on. Imported twice, nothing changes: with `if-empty` what is there and equal is
skipped, so an import that was killed is simply made again.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from ..core.backup import ArrivingObject, BackupSource, Staging
from ..core.backup_lines import AlarmLine, HeadLine, RowLine
from ..core.backup_reading import (
    BackupEvent,
    BackupReader,
    Damage,
    LineSplitter,
    ObjectBegins,
    ObjectEnds,
)
from ..core.content_digest import Digest
from ..core.errors import (
    BackupDamaged,
    IdForeign,
    IdInvalid,
    NamespaceUnknown,
    StateroomError,
    Unsupported,
)
from ..core.ids import ObjectId
from ..core.mounts import Durability, Mount
from ..core.storable import check_alarm, check_row
from ..core.workshop import breathe
from .gathering import Gathering
from .landing import Fate, ImportMode, Landed, Lander
from .registry import RoomRegistry

GROUP_OBJECTS: Final = 250
GROUP_BYTES: Final = 4 << 20
GROUP_ROWS: Final = 4_000
_PROGRESS_BYTES: Final = 32 << 20

Tell = Callable[[Mapping[str, Any]], None]
"""Takes the next line of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to import.

    Attributes:
        mode: What becomes of objects that store something.
        dry_run: Whether to say only what would be done.
        map_nameless: Whether objects without a name whose id is of another cluster get one of
            this cluster; else they are refused.
    """

    mode: ImportMode = ImportMode.IF_EMPTY
    dry_run: bool = False
    map_nameless: bool = False


class Importer:
    """See the module.

    Args:
        registry: Has the ids and namespaces of this cluster.
        lander: Writes objects.
        source: Tells what is there already.
        staging: Where the rows of large objects wait.
    """

    def __init__(
        self, registry: RoomRegistry, lander: Lander, *, source: BackupSource, staging: Staging
    ) -> None:
        self._registry = registry
        self._lander = lander
        self._source = source
        self._staging = staging

    async def run(self, pieces: AsyncIterator[bytes], options: ImportOptions, tell: Tell) -> None:
        """Import what comes, and tell what becomes of each object and, at the end, of all.

        Cancelled, it leaves whole objects only.

        Raises:
            BackupUnreadable: It is no export. Raised before anything is told.
            StateroomError: What `pieces` raises; of the objects that came whole before, most are
                imported.
        """
        await _Run(self._registry, self._lander, self._source, self._staging, options, tell).all_of(
            pieces
        )


@dataclass(slots=True)
class _Sums:
    """What became of all."""

    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    rows: int = 0
    size_bytes: int = 0


class _Run:
    """One import."""

    def __init__(
        self,
        registry: RoomRegistry,
        lander: Lander,
        source: BackupSource,
        staging: Staging,
        options: ImportOptions,
        tell: Tell,
    ) -> None:
        self._registry = registry
        self._lander = lander
        self._source = source
        self._staging = staging
        self._options = options
        self._tell = tell
        self._reader = BackupReader()
        self._current: Gathering | None = None
        self._group: dict[UUID, tuple[int, ArrivingObject]] = {}
        self._group_rows = self._group_bytes = 0
        self._told_bytes = 0
        self._sums = _Sums()

    async def all_of(self, pieces: AsyncIterator[bytes]) -> None:
        splitter = LineSplitter()
        number = 0
        try:
            async for piece in pieces:
                for number, raw in splitter.feed(piece):
                    await self._line(number, raw)
                await breathe()
            if (rest := splitter.rest()) is not None:
                number = rest[0]
                await self._line(*rest)
            if (damage := self._reader.end(number + 1)) is not None:
                await self._take(damage)
        finally:
            if self._current is not None:
                await self._current.discard()
        await self._land_group()
        self._tell(self._summary())

    async def _line(self, number: int, raw: bytes | None) -> None:
        event = self._reader.take(number, raw)
        if event is not None:
            await self._take(event)

    async def _take(self, event: BackupEvent) -> None:
        match event:
            case RowLine() | AlarmLine():
                if self._current is not None:
                    await self._gather(self._current, event)
            case ObjectBegins():
                await self._void(event.line, BackupDamaged("the object before has no last line"))
                self._begin(event)
            case ObjectEnds():
                await self._end(event.digest)
            case Damage():
                if not await self._void(event.line, event.error):
                    self._tell({"kind": "damage", "line": event.line, **_refused(event.error)})
            case _:
                pass

    async def _gather(self, current: Gathering, line: RowLine | AlarmLine) -> None:
        try:
            if isinstance(line, AlarmLine):
                check_alarm(line.alarm)
                current.alarms[line.name] = line.alarm
                return
            check_row(line.key, line.value)
        except StateroomError as error:
            await self._void(current.line, error)
            return
        if current.add(line.key, line.value):
            await self._spill(current)

    def _begin(self, event: ObjectBegins) -> None:
        try:
            object_id = self._object_id(event.head)
            self._check_mount(self._registry.namespaces.mount(object_id.namespace))
        except StateroomError as error:
            self._refuse(event.line, event.head, error)
            return
        self._current = Gathering(
            object_id,
            line=event.line,
            source=self._source,
            staging=self._staging,
            only_look=self._options.dry_run,
            if_empty=self._options.mode is ImportMode.IF_EMPTY,
        )

    def _object_id(self, head: HeadLine) -> ObjectId:
        """Where the object goes: by its name, or by its id if that is of this cluster."""
        ids = self._registry.ids
        if head.namespace not in self._registry.namespaces:
            raise NamespaceUnknown(f"no namespace is called {head.namespace!r}")
        if head.name is not None:
            return ids.from_name(head.namespace, head.name)
        try:
            return ids.from_string(head.namespace, head.id_text)
        except IdInvalid:
            if not self._options.map_nameless:
                raise IdForeign from None
        try:
            half = UUID(hex=head.id_text[:32])
        except ValueError:
            raise IdInvalid from None
        # The half that identifies stays, so another import of the same file finds it again.
        return ids.from_row(head.namespace, half, None)

    def _check_mount(self, mount: Mount) -> None:
        if mount.durability is Durability.NONE:
            raise Unsupported("the namespace has durability=none and stores nothing")
        if self._options.mode is ImportMode.MERGE and hasattr(mount.cls, "patch_content"):
            raise Unsupported(
                "rows of this class mean nothing by themselves, so they cannot be merged",
                remedy="Import its content: POST .../content/import?mode=merge.",
            )

    async def _spill(self, gathering: Gathering) -> None:
        try:
            await gathering.spill()
        except StateroomError as error:
            await self._void(gathering.line, error)
            return
        if gathering.size_bytes - self._told_bytes > _PROGRESS_BYTES:
            self._told_bytes = gathering.size_bytes
            size = gathering.size_bytes
            self._tell({"kind": "progress", "line": gathering.line, "size_bytes": size})

    async def _end(self, digest: Digest) -> None:
        current, self._current = self._current, None
        self._told_bytes = 0
        if current is None:  # it was refused at its beginning
            return
        if current.object_id.uuid in self._group:
            await self._land_group()
        try:
            arrival = await current.arrived(digest)
            if arrival.rows is None:
                await self._land_group()
                await self._land({arrival.object_id.uuid: (current.line, arrival)})
            else:
                await self._add(current.line, arrival)
        finally:
            await current.discard()

    async def _add(self, line: int, arrival: ArrivingObject) -> None:
        self._group[arrival.object_id.uuid] = (line, arrival)
        self._group_rows += arrival.digest.rows
        self._group_bytes += arrival.digest.size_bytes
        if (
            len(self._group) >= GROUP_OBJECTS
            or self._group_rows >= GROUP_ROWS
            or self._group_bytes >= GROUP_BYTES
        ):
            await self._land_group()

    async def _land_group(self) -> None:
        group, self._group = self._group, {}
        self._group_rows = self._group_bytes = 0
        if group:
            await self._land(group)

    async def _land(self, group: Mapping[UUID, tuple[int, ArrivingObject]]) -> None:
        arrivals = [arrival for _, arrival in group.values()]
        try:
            if self._options.dry_run:
                landed = await self._lander.weigh(arrivals, self._options.mode)
            else:
                landed = await self._lander.land(arrivals, self._options.mode)
        except StateroomError as error:
            landed = [Landed(Fate.REFUSED, error)] * len(arrivals)
        for (line, arrival), how in zip(group.values(), landed, strict=True):
            self._sums.fates[how.fate] += 1
            if how.fate is Fate.IMPORTED:
                self._sums.rows += arrival.digest.rows
                self._sums.size_bytes += arrival.digest.size_bytes
            self._tell(_told(line, arrival.object_id, how, arrival.digest))

    async def _void(self, line: int, error: StateroomError) -> bool:
        """Give the current object up; returns whether there was one."""
        current, self._current = self._current, None
        self._told_bytes = 0
        if current is None:
            return False
        await current.discard()
        self._sums.fates[Fate.REFUSED] += 1
        self._tell(_told(line, current.object_id, Landed(Fate.REFUSED, error), None))
        return True

    def _refuse(self, line: int, head: HeadLine, error: StateroomError) -> None:
        self._sums.fates[Fate.REFUSED] += 1
        told = {"kind": "object", "line": line, "namespace": head.namespace, "name": head.name}
        self._tell(told | {"id": head.id_text, **_refused(error)})

    def _summary(self) -> dict[str, Any]:
        sums = self._sums
        return {
            "kind": "summary",
            "complete": self._reader.whole,
            "dry_run": self._options.dry_run,
            **{fate.value: count for fate, count in sums.fates.items()},
            "rows": sums.rows,
            "size_bytes": sums.size_bytes,
        }


def _told(line: int, object_id: ObjectId, how: Landed, digest: Digest | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": "object",
        "line": line,
        "namespace": object_id.namespace,
        "name": object_id.name,
        "id": str(object_id),
        "result": how.fate.value,
    }
    if digest is not None:
        told |= {"rows": digest.rows, "size_bytes": digest.size_bytes, "sha256": digest.sha256}
    return told if how.error is None else told | _refused(how.error)


def _refused(error: StateroomError) -> dict[str, str]:
    return {
        "result": Fate.REFUSED.value,
        "code": error.code,
        "detail": error.detail,
        "remedy": error.remedy,
    }
