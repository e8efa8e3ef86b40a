"""The committer of this life of the worker.

A committer proves one worker id in every commit, so each life of the worker (after every lost
lease a new one) needs its own. Rooms of a former life are aborted before the next one begins;
what they had enqueued yields no batch any more.
"""

from collections.abc import Callable
from typing import Protocol

from ..core.errors import StoreUnavailable
from ..core.ids import WorkerId
from ..core.ports import BatchSource, LeaseCheck


class RunningCommitter(Protocol):
    """A committer with a life of its own."""

    def enqueue(self, source: BatchSource) -> None:
        """See `core.ports.Committer`."""
        ...

    async def start(self) -> None:
        """Begin to commit; raises StoreUnavailable."""
        ...

    async def close(self, *, seconds: float = ...) -> None:
        """Commit what is enqueued, then stop; what is not done in time is UNAVAILABLE."""
        ...


class CommitterOfThisLife:
    """The `Committer` that rooms know; it passes on to the one of the present life.

    Args:
        make: Makes a committer for a worker id and its lease.
    """

    def __init__(self, make: Callable[[WorkerId, LeaseCheck], RunningCommitter]) -> None:
        self._make = make
        self._current: RunningCommitter | None = None

    async def begin(self, worker_id: WorkerId, lease: LeaseCheck) -> None:
        """Start the committer of a new life; the former one's work is void and not waited for.

        The new lease is running already, and what a former life has under way can no longer pass
        the fence.

        Raises:
            StoreUnavailable: The database is away.
        """
        former, self._current = self._current, None
        if former is not None:
            await former.close(seconds=0.0)
        committer = self._make(worker_id, lease)
        await committer.start()
        self._current = committer

    def enqueue(self, source: BatchSource) -> None:
        """See `core.ports.Committer`."""
        if self._current is None:
            raise StoreUnavailable("no life of this worker has begun")
        self._current.enqueue(source)

    async def close(self) -> None:
        """End the present life's committer."""
        former, self._current = self._current, None
        if former is not None:
            await former.close()
