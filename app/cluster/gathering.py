"""One object on its way in: its rows are gathered in memory until they are many, then staged."""

import uuid
from contextlib import suppress
from typing import Final
from uuid import UUID

from ..core.backup import ArrivingObject, BackupSource, Row, Staging
from ..core.content_digest import Digest
from ..core.errors import StateroomError
from ..core.ids import ObjectId
from ..core.values import Alarm

MOST_BYTES: Final = 8 << 20
"""Gathered of one object before its rows are staged."""
MOST_ROWS: Final = 8_000
_PIECE_BYTES: Final = 4 << 20


class Gathering:
    """See the module. It is given back by `discard`, whatever became of it.

    Args:
        object_id: Which object.
        line: Where it begins.
        source: Tells what is there already.
        staging: Where rows are laid aside.
        only_look: Whether nothing is to be staged.
        if_empty: Whether nothing is to be staged for an object that stores anything already:
            then only the digest of what comes counts.
    """

    def __init__(
        self,
        object_id: ObjectId,
        *,
        line: int,
        source: BackupSource,
        staging: Staging,
        only_look: bool,
        if_empty: bool,
    ) -> None:
        self.object_id = object_id
        self.line = line
        self.alarms: dict[str, Alarm] = {}
        self._source = source
        self._staging = staging
        self._if_empty = if_empty
        self._only_look = only_look
        self._rows: list[Row] = []
        self._size = 0
        self._total = 0
        self._spilt = False
        self._staging_id: UUID | None = None

    @property
    def size_bytes(self) -> int:
        """How much of it has come."""
        return self._total

    def add(self, key: bytes, value: bytes) -> bool:
        """Take a row; returns whether `spill` has to follow."""
        self._rows.append((key, value))
        self._size += len(key) + len(value)
        self._total += len(key) + len(value)
        most = _PIECE_BYTES if self._spilt else MOST_BYTES
        return self._size > most or len(self._rows) > MOST_ROWS

    async def spill(self) -> None:
        """Lay aside what is gathered.

        Raises:
            StoreUnavailable, StorageRefused: See `Staging.stage`.
        """
        if not self._spilt:
            self._spilt = True
            key = self.object_id.uuid
            if not self._only_look and not (self._if_empty and await self._source.standing([key])):
                self._staging_id = uuid.uuid4()
        rows, self._rows, self._size = self._rows, [], 0
        while rows and self._staging_id is not None:
            piece = _first_bytes(rows, _PIECE_BYTES)
            await self._staging.stage(self._staging_id, piece)
            del rows[: len(piece)]

    async def arrived(self, digest: Digest) -> ArrivingObject:
        """All of it has come.

        Raises:
            StoreUnavailable, StorageRefused: See `Staging.stage`.
        """
        if self._spilt:
            await self.spill()
        return ArrivingObject(
            object_id=self.object_id,
            rows=None if self._spilt else dict(self._rows),
            alarms=self.alarms,
            digest=digest,
            staging_id=self._staging_id,
        )

    async def discard(self) -> None:
        """Forget what was laid aside; while the database is away it is left to be swept."""
        staging_id, self._staging_id = self._staging_id, None
        if staging_id is not None:
            with suppress(StateroomError):
                await self._staging.discard(staging_id)


def _first_bytes(rows: list[Row], most: int) -> list[Row]:
    """The first rows, at least one, of at most so many bytes."""
    size = 0
    for number, (key, value) in enumerate(rows):
        size += len(key) + len(value)
        if size > most and number:
            return rows[:number]
    return list(rows)
