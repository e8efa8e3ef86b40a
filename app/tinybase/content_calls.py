"""The content of a room as others read and change it: `sdk.content.JsonContent` fulfilled.

A change is made by the server's replica in one transaction, so connected clients are told, the
class's `on_changes` is, and hashes agree. Large texts are parsed, and large rooms gone through,
beside the event loop, within the one event that runs.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from ..sdk.content import NO_CONTENT
from ..sdk.context import Context
from ..sdk.json import JsonError, parse_json, parse_json_in_parts
from .content_patch import Path, apply_patch, delete_part, problem_of, replace_part
from .content_text import content_text
from .edits import ClockBehind, Edited
from .large import LARGE_CHARS, is_large, let_go, store_bit_by_bit
from .replica import Replica
from .store_access import StoreAccess

ResultT = TypeVar("ResultT")

CLOCK_BEHIND: Final = "a change that is stored lies too far in the future to be followed"
"""Why a room takes no changes made on the server."""


class ContentCalls(StoreAccess):
    """What a room answers to whoever steers it from outside; may be called by other objects too."""

    ctx: Context

    _replica: Replica | None

    def _is_frozen(self) -> bool:
        return self.ctx.frozen

    async def read_content(self, path: list[str], limit_bytes: int) -> str | None:
        """The JSON text of a part: `["tables", table, row, cell]`, `["values", value]` or less.

        None when there is nothing. See `stateroom.JsonContent`.
        """
        replica = self._replica
        if replica is None:
            return None
        return await self._beside(0, partial(content_text, replica, path, limit_bytes))

    async def patch_content(self, path: list[str], patch: str) -> str | None:
        """Merge a JSON text into a part (RFC 7396). Returns what is wrong with it, or None."""
        return await self._take_json(path, patch, apply_patch, is_patch=True)

    async def replace_content(self, path: list[str], content: str) -> str | None:
        """Make a part what a JSON text says. Returns what is wrong with it, or None."""
        return await self._take_json(path, content, replace_part, is_patch=False)

    async def delete_content(self, path: list[str]) -> bool:
        """Delete a part. Returns whether there was one."""
        if self._replica is None:
            return False
        return await self._edit_beside(0, partial(delete_part, self, path))

    async def _take_json(
        self,
        path: list[str],
        text: str,
        change: Callable[[StoreAccess, Path, Any], None],
        *,
        is_patch: bool,
    ) -> str | None:
        if self._replica is None:
            return NO_CONTENT
        try:
            content = await self._parse(text)
        except JsonError as error:
            return f"it is no JSON: {error}"
        try:
            return await self._take_content(path, content, len(text), change, is_patch=is_patch)
        finally:
            await self._let_go(content, len(text))

    async def _take_content(
        self,
        path: list[str],
        content: Any,
        size: int,
        change: Callable[[StoreAccess, Path, Any], None],
        *,
        is_patch: bool,
    ) -> str | None:
        problem = await self._beside(size, partial(problem_of, path, content, patch=is_patch))
        if problem is not None:
            return problem
        try:
            await self._edit_beside(size, partial(change, self, path, content))
        except ClockBehind:
            return CLOCK_BEHIND
        return None

    async def _parse(self, text: str) -> Any:
        """Parse JSON; raises JsonError."""
        if len(text) <= LARGE_CHARS:
            return parse_json(text)
        return await self.ctx.offload(partial(parse_json_in_parts, text))

    async def _let_go(self, content: Any, size: int) -> None:
        """Forget what was parsed, which nobody needs any more."""
        if size > LARGE_CHARS:
            await self.ctx.offload(partial(let_go, content))

    async def _become_like(self, other: Replica) -> None:
        """Make the visible content that of another replica, by new changes."""

        def become() -> None:
            assert self._edits is not None  # noqa: S101 - `_edit_beside` has just set it
            self._edits.become(other)

        await self._edit_beside(LARGE_CHARS + 1, become)

    async def _edit_beside(self, size: int, work: Callable[[], ResultT]) -> ResultT:
        """Do what `transaction` does with some work, beside the event loop when it is much."""
        if self._edits is not None:
            with self.transaction():
                return await self._beside(size, work)
        edits = self._begin_edits()
        try:
            with self._undone_by_errors(edits):
                result = await self._beside(size, work)
                self._listen(edits)
        finally:
            self._edits = None
        edited = await self._beside(size, edits.finish)
        await self._tell_edited(edited)
        return result

    async def _tell_edited(self, edited: Edited) -> None:
        """Store what was edited, bit by bit, and tell clients of it."""
        await store_bit_by_bit(self.ctx, edited.entries)
        self._edited(replace(edited, entries=[]))

    async def _beside(self, size: int, work: Callable[[], ResultT]) -> ResultT:
        """Do some work, beside the event loop when it is much."""
        if size > LARGE_CHARS or is_large(self._replica):
            return await self.ctx.offload(work)
        return work()
