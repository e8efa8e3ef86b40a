"""With which code and reason a room closes its sockets, for each way it can end.

1000: the object is deleted, there is nothing to come back to. 1011: the object's own code failed.
1012: come back, somewhere or sometime soon you will be served (restart, move, lost ownership).
1013: try again later (overload, database away, frozen). 4401: the credential is missing, wrong or
over. 4403: it does not open this room.
(RFC 6455, section 7.4 and the IANA registry of close codes)
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ..core.errors import (
    AccessRefused,
    LeaseLost,
    ObjectDeleted,
    ObjectFrozen,
    RoomForbidden,
    StateroomError,
    StoreUnavailable,
)
from ..core.values import Claim


class CloseReason(NamedTuple):
    """A close frame's contents."""

    code: int
    reason: str


GOING_AWAY = CloseReason(1012, "service restart")


class Ending(NamedTuple):
    """A way to give an object up that is not its plain release.

    Attributes:
        give_up: Called with the claim when nothing runs and all is committed; when it has
            returned, the object is not the claim's any more.
        close: What the sockets are told then.
        reason: What `on_evict` is told before.
    """

    give_up: Callable[[Claim], Awaitable[None]]
    close: CloseReason
    reason: str


def close_for(error: Exception) -> CloseReason:
    """The close frame for an error; the reason is the error's code and never its text."""
    code = error.code if isinstance(error, StateroomError) else "object_fault"
    if isinstance(error, StateroomError):
        if isinstance(error, ObjectDeleted):
            return CloseReason(1000, code)
        if isinstance(error, AccessRefused):
            return CloseReason(4403 if isinstance(error, RoomForbidden) else 4401, code)
        if error.overloaded or isinstance(error, StoreUnavailable | LeaseLost | ObjectFrozen):
            return CloseReason(1013, code)
        if error.retryable or error.reset:
            return CloseReason(1012, code)
    return CloseReason(1011, code)
