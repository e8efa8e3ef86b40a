"""Content that moves into a room and out of it: `sdk.content.MovableContent` fulfilled.

Content with stamps is merged as if another replica had sent it, so a client that holds the same
finds equal hashes. Content without is edited in. To replace what is there, the rest is changed
and deleted with new stamps, because nothing that other replicas know can be forgotten. Each piece
is one event.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from ..sdk import ObjectFrozen
from ..sdk.content import IMPORT_MODES, NO_CONTENT, NOT_EMPTY, Upload
from ..sdk.json import JsonError
from .changes import changes_body, rows_of
from .content_calls import CLOCK_BEHIND, ContentCalls
from .content_export import EXPORT_FORMATS, export_part
from .content_patch import Path as PartPath
from .content_patch import problem_of, replace_part
from .edits import ClockBehind, Edited
from .foreign import IMPORT_FORMATS, read_foreign, replica_of
from .former import Former
from .large import LARGE_CHARS
from .news import changes_since
from .replica import Replica
from .stamps import newest_in_changes
from .store_access import StoreAccess

_IF_EMPTY, _, _MERGE = IMPORT_MODES
_EVERYTHING: Final[PartPath] = ()
_FROM_THE_FUTURE: Final = (
    "it holds stamps that lie in the future, which clients refuse; import it without its stamps"
)


class ContentMoves(ContentCalls):
    """The half of `TinyBaseRoom` that moves content in and out."""

    import_formats: ClassVar[tuple[str, ...]] = IMPORT_FORMATS
    export_formats: ClassVar[tuple[str, ...]] = EXPORT_FORMATS

    @classmethod
    def read_upload(cls, file: Path, upload: Upload, piece_bytes: int) -> Iterator[str]:
        """Read a file of another TinyBase persister. See `stateroom.MovableContent`."""
        return read_foreign(file, upload, piece_bytes)

    async def import_content(self, piece: str, mode: str) -> str | None:
        """Take in a piece of `read_upload`. Returns what is wrong with it, or None."""
        if self._replica is None:
            return NO_CONTENT
        if self.ctx.frozen:
            raise ObjectFrozen
        if mode not in IMPORT_MODES:
            return f"the mode must be one of {', '.join(IMPORT_MODES)}"
        if mode == _IF_EMPTY and (self.has_tables() or self.has_values()):
            return NOT_EMPTY
        try:
            content = await self._parse(piece)
        except JsonError as error:
            return f"it is no JSON: {error}"
        if isinstance(content, list):  # what is stamped is kept as it is
            return await self._import_stamped(self._replica, content, mode)
        try:
            return await self._import_plain(content, mode)
        finally:
            await self._let_go(content, len(piece))

    async def export_content(
        self, form: str, after: str, limit_bytes: int
    ) -> tuple[str, str] | None:
        """A part of the content as TinyBase's file persister writes it, and where to go on.

        `content` is `[tables, values]`, of a Store; `mergeable` is that of a MergeableStore, with
        stamps and hashes. None for anything else.
        """
        replica = self._replica
        if replica is None or form not in self.export_formats:
            return None
        return await self._beside(0, partial(export_part, replica, form, after, limit_bytes))

    async def _import_stamped(self, replica: Replica, changes: list[Any], mode: str) -> str | None:
        newest = newest_in_changes(changes)
        if newest is None:
            return "it is no content with stamps"
        now_ms = self._now_ms()
        if not replica.clock.accepts(newest, now_ms):
            return _FROM_THE_FUTURE
        former = Former()
        applied = await self.ctx.offload(partial(replica.merge, changes, former))
        replica.clock.observe(newest, now_ms)
        edited = await self.ctx.offload(partial(_told, replica, former))
        await self._tell_edited(replace(edited, entries=applied.entries))
        if self._listens and (news := changes_since(replica, former, None)) is not None:
            self._react(news)
        if mode != _MERGE:
            theirs = await self.ctx.offload(partial(replica_of, changes))
            await self._become_like(theirs)
        return None

    async def _import_plain(self, content: Any, mode: str) -> str | None:
        problem = problem_of(_EVERYTHING, content, patch=False)
        if problem is not None:
            return problem
        change = _add if mode == _MERGE else replace_part
        try:
            await self._edit_beside(LARGE_CHARS + 1, partial(change, self, _EVERYTHING, content))
        except ClockBehind:
            return CLOCK_BEHIND
        return None


def _told(replica: Replica, former: Former) -> Edited:
    """What clients are told of a merge."""
    tables, values = replica.altered_since(former)
    body = changes_body(rows_of(tables), values) if former else None
    return Edited(entries=[], body=body)


def _add(store: StoreAccess, path: PartPath, content: Any) -> None:
    del path
    for table_id, rows in content.get("tables", {}).items():
        for row_id, cells in rows.items():
            store.set_partial_row(table_id, row_id, cells)
    store.set_partial_values(content.get("values", {}))
