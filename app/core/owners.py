"""Who holds an object at the moment, by what the database says: the port of those who only look.

Asking claims nothing and wakes nothing. The answer may be old by the time it is used, so whoever
is asked next says for itself whether it has the object.
"""

from typing import Protocol

from .ids import ObjectId
from .values import LiveWorker


class ObjectOwners(Protocol):
    """See the module."""

    async def holder(self, object_id: ObjectId) -> LiveWorker | None:
        """Return the worker that holds the object, draining or not; None when nobody does.

        A worker that is dead, or whose lease has run out, holds nothing.

        Raises:
            StoreUnavailable: The database is away.
        """
        ...
