"""Contents of objects as JSON, for whoever is outside: at the owner, by ordinary calls.

The methods that are called are those of `sdk.content`; a class without them has no content.
Reading starts an object that sleeps, because only its code knows its content, but never makes one
that does not exist.
"""

import asyncio
import inspect
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from ..core.admin_errors import (
    ContentInvalid,
    ContentPresent,
    ContentTooLarge,
    ContentUnknown,
    NoContent,
)
from ..core.errors import ObjectDeleted, ObjectFrozen, ObjectUnknown
from ..core.ids import ObjectId
from ..core.object_state import ObjectState, ObjectStates
from ..core.workshop import Workshop
from ..sdk.content import CONTENT_BYTES, NO_CONTENT, NOT_EMPTY, JsonContent, MovableContent, Upload
from .namespaces import Namespaces
from .stubs import OutsideStubs

CONTENT_SECONDS: Final = 30.0
"""How long one call may take."""

UPLOAD_BYTES: Final = 256 << 20
"""The largest file that is imported."""

_IMPORTS_AT_ONCE: Final = 2
_MERGE: Final = "merge"
_IN_PARTS: Final = "Import it with mode=merge, which takes it in several events."
_MOVES: Final = ("import_content", "export_content")
_METHODS: Final = ("read_content", "patch_content", "replace_content", "delete_content")


ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an import took.

    Attributes:
        size_bytes: Of the uploaded file.
        events: How many events of the object it took.
    """

    size_bytes: int
    events: int


class Contents:
    """See the module. Every call raises what calls of stubs raise, besides what it says.

    Args:
        namespaces: What is mounted.
        stubs: The way to the objects.
        states: Which objects there are.
    """

    def __init__(self, namespaces: Namespaces, stubs: OutsideStubs, states: ObjectStates) -> None:
        self._namespaces = namespaces
        self._stubs = stubs
        self._states = states
        self._workshop = Workshop()
        self._desk = asyncio.Semaphore(_IMPORTS_AT_ONCE)

    async def read(self, object_id: ObjectId, path: Sequence[str]) -> bytes:
        """Return a part as JSON; the empty path is everything.

        Raises:
            ObjectUnknown, ObjectDeleted: There is no such object.
            NoContent: Its class has no content.
            ContentUnknown: There is no such part.
            ContentTooLarge: It is too large to be read at once.
        """
        stub = await self._existing(object_id)
        text = await stub.read_content(list(path), CONTENT_BYTES)
        if text is None:
            raise ContentUnknown if path else NoContent
        return _checked(text)

    async def patch(self, object_id: ObjectId, path: Sequence[str], patch: bytes) -> None:
        """Merge JSON into a part (RFC 7396); an object that does not exist yet is made.

        Raises:
            NoContent: Its class has no content.
            ObjectFrozen, ObjectDeleted: It takes no changes.
            ContentInvalid, ContentTooLarge: It cannot be taken; nothing was changed.
        """
        stub, text = await self._changeable(object_id), _text(patch)
        _accept(await stub.patch_content(list(path), text))

    async def replace(self, object_id: ObjectId, path: Sequence[str], content: bytes) -> None:
        """Make a part what JSON says; see `patch`."""
        stub, text = await self._changeable(object_id), _text(content)
        _accept(await stub.replace_content(list(path), text))

    async def delete(self, object_id: ObjectId, path: Sequence[str]) -> None:
        """Delete a part.

        Raises:
            ObjectUnknown, ObjectDeleted: There is no such object.
            ObjectFrozen: It takes no changes.
            NoContent: Its class has no content.
            ContentUnknown: There is no such part.
        """
        stub = await self._existing(object_id, changes=True)
        if not await stub.delete_content(list(path)):
            raise ContentUnknown

    async def export(self, object_id: ObjectId, form: str) -> AsyncIterator[bytes]:
        """Yield everything in a format of the class's own, part by part.

        What fits one part is of one moment; later parts may hold what changed meanwhile.

        Raises:
            ObjectUnknown, ObjectDeleted: There is no such object.
            NoContent: Its class has no content that moves, or not in this format.
        """
        self._movable(object_id)
        stub: Any = await self._existing(object_id)
        after = ""
        while True:
            part = await stub.export_content(form, after, CONTENT_BYTES)
            if part is None:
                raise NoContent
            text, after = part
            yield text.encode()
            if not after:
                return

    async def take_in(
        self, object_id: ObjectId, pieces: AsyncIterator[bytes], upload: Upload, mode: str
    ) -> Taken:
        """Import an uploaded file; an object that does not exist yet is made.

        All or nothing when it fits one event, which is asked for in every mode but `merge`. A
        merge that was broken off is completed by repeating it.

        Raises:
            NoContent: Its class has no content that moves.
            ObjectFrozen, ObjectDeleted: It takes no changes.
            ContentPresent: The mode is `if-empty`, and there is some.
            ContentInvalid, ContentTooLarge: It cannot be taken.
        """
        cls = self._movable(object_id)
        await self._state(object_id, changes=True)
        with tempfile.TemporaryDirectory(prefix="stateroom-import-") as folder:
            file = Path(folder) / "upload"
            size = await self._keep(pieces, file)
            async with self._desk:
                texts = await self._read(lambda: cls.read_upload(file, upload, CONTENT_BYTES))
                events = await self._hand_over(object_id, texts, mode)
        return Taken(size_bytes=size, events=events)

    async def _hand_over(self, object_id: ObjectId, texts: Iterator[str], mode: str) -> int:
        """Give an object the pieces of an import; returns how many there were."""
        stub: Any = self._stub(object_id)
        events = 0
        text = await self._read(lambda: next(texts, None))
        while text is not None:
            following = await self._read(lambda: next(texts, None))
            if following is not None and mode != _MERGE:
                raise ContentTooLarge(remedy=_IN_PARTS)
            _accept(await stub.import_content(text, mode))
            events += 1
            text = following
        return events

    async def _keep(self, pieces: AsyncIterator[bytes], file: Path) -> int:
        """Write an upload to a file, bit by bit, beside the event loop."""
        size = 0
        with file.open("wb") as kept:
            async for piece in pieces:
                size += len(piece)
                if size > UPLOAD_BYTES:
                    raise ContentTooLarge(remedy=f"Send at most {UPLOAD_BYTES} bytes.")
                await self._workshop.run(partial(kept.write, piece))
        return size

    async def _read(self, work: Callable[[], ResultT]) -> ResultT:
        try:
            return await self._workshop.run(work)
        except ValueError as error:
            raise ContentInvalid(str(error)) from None

    def _movable(self, object_id: ObjectId) -> type[MovableContent]:
        cls: Any = self._namespaces.mount(object_id.namespace).cls
        if not _has(cls, _MOVES):
            raise NoContent
        moves: type[MovableContent] = cls
        return moves

    async def _existing(self, object_id: ObjectId, *, changes: bool = False) -> JsonContent:
        stub = self._stub(object_id)
        if await self._state(object_id, changes=changes) is None:
            raise ObjectUnknown
        return stub

    async def _changeable(self, object_id: ObjectId) -> JsonContent:
        """A stub of an object that may be changed, or made."""
        stub = self._stub(object_id)
        await self._state(object_id, changes=True)
        return stub

    async def _state(self, object_id: ObjectId, *, changes: bool) -> ObjectState | None:
        """How the object stands; what it refuses anyway is refused before it costs it anything."""
        state = await self._states.state(object_id)
        if state is not None and state.deleted_ms is not None:
            raise ObjectDeleted
        if state is not None and state.frozen_ms is not None and changes:
            raise ObjectFrozen
        return state

    def _stub(self, object_id: ObjectId) -> JsonContent:
        cls = self._namespaces.mount(object_id.namespace).cls
        if not _has(cls, _METHODS):
            raise NoContent
        namespace: Any = self._stubs.namespace(object_id.namespace)
        stub: JsonContent = namespace.get(object_id, deadline_seconds=CONTENT_SECONDS)
        return stub


def _has(cls: type[Any], methods: Iterable[str]) -> bool:
    return all(inspect.iscoroutinefunction(getattr(cls, name, None)) for name in methods)


def _text(content: bytes) -> str:
    if len(content) > CONTENT_BYTES:
        raise ContentTooLarge
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ContentInvalid("it is not valid UTF-8") from None


def _accept(problem: str | None) -> None:
    if problem == NO_CONTENT:
        raise NoContent
    if problem == NOT_EMPTY:
        raise ContentPresent
    if problem is not None:
        raise ContentInvalid(problem)


def _checked(text: str) -> bytes:
    content = text.encode()
    if len(content) > CONTENT_BYTES:
        raise ContentTooLarge
    return content
