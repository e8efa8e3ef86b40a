"""Exporting objects as NDJSON, without waking any: see `core.backup_lines` for the lines.

Each object is one snapshot; the memory that it takes does not depend on how many there are or
how large they are. An export that cannot be finished raises, and what was given out until then
has no last line.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from ..core.backup import BackupSource, StoredPart
from ..core.backup_lines import (
    EndLine,
    FinishLine,
    HeaderLine,
    alarm_line,
    decoded_line,
    end_line,
    finish_line,
    head_line,
    header_line,
    instant,
    line_digest,
    row_line,
)
from ..core.clock import DatabaseClock
from ..core.content_digest import ContentDigest
from ..core.errors import ObjectUnknown
from ..core.ids import ObjectId, ObjectIds
from ..core.workshop import breathe

_PIECE_BYTES: Final = 1 << 16


class Exporter:
    """See the module.

    Args:
        source: Where objects are read.
        ids: Of this cluster.
        database_clock: Tells when it was made.
    """

    def __init__(self, source: BackupSource, ids: ObjectIds, database_clock: DatabaseClock) -> None:
        self._source = source
        self._ids = ids
        self._database_clock = database_clock

    async def one(
        self, object_id: ObjectId, *, decoded: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Export one object; `decoded`: for people to read, not to be imported.

        Raises:
            ObjectUnknown: It stores nothing. Raised before anything is given out.
            StoreUnavailable: The database is away.
        """
        writing = _Writing(self._ids, decoded=decoded)
        async with aclosing(self._source.parts(object_id.uuid)) as parts:
            async for part in parts:
                if not writing.begun:
                    yield self._header(object_id.namespace, str(object_id), decoded=decoded)
                yield writing.part(part)
        if not writing.begun:
            raise ObjectUnknown
        yield writing.end() + writing.finish()

    async def all(
        self, *, namespace: str | None = None, decoded: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Export every object of a namespace, or every object there is; see `one`.

        Raises:
            StoreUnavailable: The database is away.
        """
        writing = _Writing(self._ids, decoded=decoded)
        after = None
        piece = self._header(namespace, None, decoded=decoded)
        while True:
            page = await self._source.page(namespace=namespace, after=after)
            for found in page.objects:
                if found.rows is None:
                    async with aclosing(self._source.parts(found.head.uuid)) as parts:
                        async for part in parts:
                            yield piece
                            piece = writing.part(part)
                    piece += writing.end()
                else:
                    piece += writing.part(found) + writing.end()
                if len(piece) > _PIECE_BYTES:
                    yield piece
                    piece = b""
                await breathe()
            if (after := page.last) is None:
                break
        yield piece + writing.finish()

    def _header(self, namespace: str | None, object_id: str | None, *, decoded: bool) -> bytes:
        return header_line(
            HeaderLine(
                made_at=instant(self._database_clock.now_ms()),
                cluster=self._ids.fingerprint,
                namespace=namespace,
                object_id=object_id,
                decoded=decoded,
            )
        )


class _Writing:
    """The lines of the objects of one export, and what they add up to."""

    def __init__(self, ids: ObjectIds, *, decoded: bool) -> None:
        self._ids = ids
        self._row_line = decoded_line if decoded else row_line
        self.begun = False
        self._within = False
        self._content = ContentDigest()
        self._alarms = 0
        self._lines_sum = hashlib.sha256()
        self._objects = self._rows = self._size_bytes = 0
        self._ends_sum = hashlib.sha256()

    def part(self, part: StoredPart) -> bytes:
        """The lines of an object, or of the next part of the one that was begun."""
        self.begun = True
        lines: list[bytes] = []
        if not self._within:
            self._within = True
            head = part.head
            object_id = self._ids.from_row(head.namespace, head.uuid, head.name)
            self._content, self._alarms = ContentDigest(), 0
            first = head_line(head, str(object_id))
            self._lines_sum = hashlib.sha256(line_digest(first))
            lines.append(first)
        for key, value in part.rows or ():
            self._content.add(key, value)
            lines.append(self._row_line(key, value))
        for name, alarm in part.alarms.items():
            line = alarm_line(name, alarm)
            self._alarms += 1
            self._lines_sum.update(line_digest(line))
            lines.append(line)
        return b"".join(lines)

    def end(self) -> bytes:
        """The last line of the object that was begun; nothing if none was."""
        if not self._within:
            return b""
        self._within = False
        digest = self._content.digest()
        line = end_line(
            EndLine(digest=digest, alarms=self._alarms, lines_sha256=self._lines_sum.hexdigest())
        )
        self._objects += 1
        self._rows += digest.rows
        self._size_bytes += digest.size_bytes
        self._ends_sum.update(line_digest(line))
        return line

    def finish(self) -> bytes:
        """The last line of all."""
        return finish_line(
            FinishLine(
                objects=self._objects,
                rows=self._rows,
                size_bytes=self._size_bytes,
                sha256=self._ends_sum.hexdigest(),
            )
        )
