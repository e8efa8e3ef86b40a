"""Every worker that the database knows of: those that live, and those that ended a day ago at most.

What is read may be old by the time it is used, like every list of workers.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .ids import WorkerId
from .values import WorkerIdentity


class WorkerState(StrEnum):
    """LIVE takes objects, DRAINING takes none; DEAD has none, for its lease is over."""

    LIVE = "live"
    DRAINING = "draining"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One life of a worker. Times are the database's, milliseconds since 1970.

    Attributes:
        identity: Who it is, where it stands and how it is reached.
        state: What it does with objects.
        started_ms: When this life began.
        lease_ms: Until when it may speak for its objects, if it does not renew.
    """

    identity: WorkerIdentity
    state: WorkerState
    started_ms: int
    lease_ms: int

    @property
    def place(self) -> tuple[str, int, int, str]:
        """Where it stands in a list of all: by node, slot and start. No two are the same."""
        identity = self.identity
        return identity.node, identity.slot, self.started_ms, str(identity.worker_id)


class WorkerRows(Protocol):
    """See the module. Every call raises StoreUnavailable when the database is away."""

    async def rows(self) -> list[WorkerRow]:
        """Return all of them, in any order."""
        ...

    async def row(self, worker_id: WorkerId) -> WorkerRow | None:
        """Return one of them."""
        ...
