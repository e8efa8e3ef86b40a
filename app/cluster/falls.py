"""Objects that throw themselves away again and again, and how long their next room has to wait.

A room that its own object's code ends (`ctx.abort`, a commit that the database refuses) costs a
claim, a load and a start when its clients come back, which they do at once. Some falls in a row
cost no wait, further ones wait longer and longer, so the worker's time belongs to the others. What
ends a room for the worker's reasons is no fall. Pure.
"""

from uuid import UUID

from ..core.errors import (
    LeaseLost,
    OwnershipLost,
    StateroomError,
    StoreUnavailable,
    WorkerLeaving,
)
from ..room.backoff import FaultBackoff

_FREE = 3
"""So many falls in a row cost no wait."""
_REMEMBERED = 10_000
_NO_FALLS = (LeaseLost, OwnershipLost, StoreUnavailable, WorkerLeaving)


class Falls:
    """See the module. Instants are those of the monotonic clock."""

    def __init__(self) -> None:
        self._backoffs: dict[UUID, FaultBackoff] = {}

    def note(self, key: UUID, cause: StateroomError | None, now: float) -> None:
        """A room is over; `cause` is why it was thrown away, if it was."""
        if cause is None or isinstance(cause, _NO_FALLS):
            return
        backoff = self._backoffs.pop(key, None) or FaultBackoff(free=_FREE)
        backoff.fault(now)
        self._backoffs[key] = backoff
        if len(self._backoffs) > _REMEMBERED:
            del self._backoffs[next(iter(self._backoffs))]

    def wait_seconds(self, key: UUID, now: float) -> float:
        """How long the object's next room has to wait."""
        backoff = self._backoffs.get(key)
        return 0.0 if backoff is None else backoff.wait_seconds(now)
