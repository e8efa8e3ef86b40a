"""Objects become what they were: asked of the owner, as an event of the object.

A class that has an `on_restore` does it itself; the rows of any other are put back. Every worker
mounts the same classes, so which of the two it is need not be asked.
"""

from dataclasses import dataclass
from typing import Any, Final

from ..core.errors import LinkGarbled
from ..core.ids import ObjectId
from ..room.instance import ClassTraits
from ..room.steered_history import RESTORE_BY_CLASS, RESTORE_ROWS
from .namespaces import Namespaces
from .steering import Steering

RESTORE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of a restoration, in bookmarks of the object.

    Attributes:
        restored: The state that is the present again.
        undo: The state just before; restoring that undoes it.
        bookmark: The state now.
    """

    restored: str
    undo: str
    bookmark: str


class Restoring:
    """See the module.

    Args:
        steering: The way to the objects.
        namespaces: What is mounted.
    """

    def __init__(self, steering: Steering, namespaces: Namespaces) -> None:
        self._steering = steering
        self._namespaces = namespaces

    async def restore(
        self, object_id: ObjectId, *, bookmark: str | None = None, at_ms: int | None = None
    ) -> Restored:
        """Make an object what it was at a bookmark or, without one, at a time.

        Alarms stay as they are. It is all done or nothing is.

        Raises:
            BookmarkUnknown, BookmarkExpired: The state cannot be told; nothing was done.
            Unsupported: The namespace stores nothing.
            StateroomError: See `Steering.ask`.
        """
        traits = ClassTraits.of(self._namespaces.mount(object_id.namespace).cls)
        what = RESTORE_BY_CLASS if traits.hears_restore else RESTORE_ROWS
        meta: dict[str, Any] = {"at_ms": at_ms} if bookmark is None else {"bookmark": bookmark}
        told, _ = await self._steering.ask(object_id, what, meta, within_seconds=RESTORE_SECONDS)
        try:
            return Restored(**told)
        except TypeError:
            raise LinkGarbled from None
