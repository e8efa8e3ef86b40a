"""What a worker changed through its database, noted for the lists that follow (`listing_refresh`).

A note is one entry of a set, however often an object commits: that is all that lists cost on the
way of a commit. Notes are memory, and what is lost with them is found again by comparing. There
are never more of them than objects that the worker touched since the last look.
"""

from collections.abc import Callable
from uuid import UUID


class ChangedObjects:
    """See the module.

    Attributes:
        note: Called with each object that was claimed, committed, given up or deleted.
    """

    def __init__(self) -> None:
        self._noted: set[UUID] = set()
        self.note: Callable[[UUID], None] = self._noted.add

    def take(self) -> list[UUID]:
        """What was noted since the last time."""
        taken = list(self._noted)
        self._noted.clear()
        return taken
