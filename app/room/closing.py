"""With which code and reason a room closes its sockets, for each way it can end.

1011: the object's own code failed. 1012: come back, somewhere or sometime soon you will be
served (restart, move, lost ownership). 1013: try again later (overload, database away).
(RFC 6455, section 7.4 and the IANA registry of close codes)
"""

from typing import NamedTuple

from ..core.errors import LeaseLost, StateroomError, StoreUnavailable


class CloseReason(NamedTuple):
    """A close frame's contents."""

    code: int
    reason: str


GOING_AWAY = CloseReason(1012, "service restart")


def close_for(error: Exception) -> CloseReason:
    """The close frame for an error; the reason is the error's code and never its text."""
    code = error.code if isinstance(error, StateroomError) else "object_fault"
    if isinstance(error, StateroomError):
        if error.overloaded or isinstance(error, StoreUnavailable | LeaseLost):
            return CloseReason(1013, code)
        if error.retryable or error.reset:
            return CloseReason(1012, code)
    return CloseReason(1011, code)
