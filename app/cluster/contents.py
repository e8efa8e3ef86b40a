"""Contents of objects as JSON, for whoever is outside: at the owner, by ordinary calls.

The methods that are called are those of `sdk.content.JsonContent`; a class without them has no
content. Reading starts an object that sleeps, because only its code knows its content, but never
makes one that does not exist.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Final

from ..core.admin_errors import ContentInvalid, ContentTooLarge, ContentUnknown, NoContent
from ..core.errors import ObjectDeleted, ObjectUnknown
from ..core.ids import ObjectId
from ..core.object_state import ObjectStates
from ..sdk.content import CONTENT_BYTES, NO_CONTENT, JsonContent
from .namespaces import Namespaces
from .stubs import OutsideStubs

CONTENT_SECONDS: Final = 30.0
"""How long one call may take."""

_METHODS: Final = ("read_content", "patch_content", "replace_content", "delete_content")


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
            ContentInvalid, ContentTooLarge: It cannot be taken; nothing was changed.
        """
        text = _text(patch)
        _accept(await self._stub(object_id).patch_content(list(path), text))

    async def replace(self, object_id: ObjectId, path: Sequence[str], content: bytes) -> None:
        """Make a part what JSON says; see `patch`."""
        text = _text(content)
        _accept(await self._stub(object_id).replace_content(list(path), text))

    async def delete(self, object_id: ObjectId, path: Sequence[str]) -> None:
        """Delete a part.

        Raises:
            ObjectUnknown, ObjectDeleted: There is no such object.
            NoContent: Its class has no content.
            ContentUnknown: There is no such part.
        """
        stub = await self._existing(object_id)
        if not await stub.delete_content(list(path)):
            raise ContentUnknown

    async def _existing(self, object_id: ObjectId) -> JsonContent:
        stub = self._stub(object_id)
        state = await self._states.state(object_id)
        if state is None:
            raise ObjectUnknown
        if state.deleted_ms is not None:
            raise ObjectDeleted
        return stub

    def _stub(self, object_id: ObjectId) -> JsonContent:
        cls = self._namespaces.mount(object_id.namespace).cls
        if not all(inspect.iscoroutinefunction(getattr(cls, name, None)) for name in _METHODS):
            raise NoContent
        namespace: Any = self._stubs.namespace(object_id.namespace)
        stub: JsonContent = namespace.get(object_id, deadline_seconds=CONTENT_SECONDS)
        return stub


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
    if problem is not None:
        raise ContentInvalid(problem)


def _checked(text: str) -> bytes:
    content = text.encode()
    if len(content) > CONTENT_BYTES:
        raise ContentTooLarge
    return content
