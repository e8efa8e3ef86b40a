"""The alarms of all objects, for people: what is due next, and what was given up.

Reads of committed rows, which wake nothing and claim nothing. Lists are paged by keyset: a page
begins behind the last alarm of the page before.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from .ids import ObjectId
from .values import Alarm


def is_internal(name: str) -> bool:
    """Whether an alarm of that name is the service's own: no author sees, sets or counts it."""
    return name.startswith("\x01")


class AlarmPosition(NamedTuple):
    """Where an alarm stands in a list: its time there in milliseconds, its object, its name."""

    at_ms: int
    uuid: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAlarm:
    """One alarm of a list.

    Attributes:
        object_id: Whose it is.
        name: Which of the object's alarms.
        alarm: As its owner last wrote it.
    """

    object_id: ObjectId
    name: str
    alarm: Alarm


class AlarmLists(Protocol):
    """See the module. Every call raises StoreUnavailable when the database is away."""

    async def due(
        self, *, limit: int, after: AlarmPosition | None = None, until_ms: int | None = None
    ) -> list[ListedAlarm]:
        """Return the alarms that are rung next, by next attempt, object and name.

        Args:
            limit: How many at most.
            after: The page begins behind it; its time is a next attempt.
            until_ms: Only those whose next attempt is before this.
        """
        ...

    async def dead(
        self, *, limit: int, after: AlarmPosition | None = None, namespace: str | None = None
    ) -> list[ListedAlarm]:
        """Return the alarms that were given up, those that were due last first.

        Args:
            limit: How many at most.
            after: The page begins behind it; its time is the one that the alarm was due.
            namespace: Only those of its objects.
        """
        ...
