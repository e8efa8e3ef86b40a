"""The workers that take rooms, as this one knows them, and which of them an object goes to.

The list is read from the database and kept for about a second: a worker that has gone meanwhile
refuses or cannot be reached, and the next one is asked. That there is nobody is never said from
memory, for somebody may have come back. Which one an object goes to is decided by
a rendezvous hash, so that everybody who asks at the same time picks the same worker, and a
worker's coming or going moves no object but its own.
"""

import asyncio
from collections.abc import Callable, Collection
from hashlib import blake2b

from ..core.clock import Clock
from ..core.ids import ObjectId, WorkerId
from ..core.ports import WorkerList
from ..core.values import LiveWorker

_KEEP_SECONDS = 1.0


class Peers:
    """See the module.

    Args:
        workers: The list in the database.
        clock: How old the list is.
        own_id: Who we are now.
    """

    def __init__(
        self, workers: WorkerList, *, clock: Clock, own_id: Callable[[], WorkerId]
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._own_id = own_id
        self._known: list[LiveWorker] = []
        self._read_at = float("-inf")
        self._fresh_until = float("-inf")
        self._reading = asyncio.Lock()

    @property
    def own_id(self) -> WorkerId:
        """Who we are now."""
        return self._own_id()

    async def choose(
        self, object_id: ObjectId, *, without: Collection[WorkerId]
    ) -> LiveWorker | None:
        """The worker that this object goes to, of all but some; None when there is nobody.

        Raises:
            StoreUnavailable: The database is away.
        """
        asked_at = self._clock.monotonic()
        for newer_than in (float("-inf"), asked_at):
            workers = await self._all(newer_than)
            left = [worker for worker in workers if worker.worker_id not in without]
            if left:
                return rendezvous(object_id, left)
        return None

    async def get(self, worker_id: WorkerId) -> LiveWorker | None:
        """A worker that takes rooms, by its id.

        Raises:
            StoreUnavailable: The database is away.
        """
        for _ in range(2):
            for worker in await self._all():
                if worker.worker_id == worker_id:
                    return worker
            self._fresh_until = float("-inf")  # it may have just come
        return None

    async def _all(self, newer_than: float = float("-inf")) -> list[LiveWorker]:
        async with self._reading:  # one reads for all who ask while it does
            now = self._clock.monotonic()
            if now >= self._fresh_until or self._read_at <= newer_than:
                self._known = await self._workers.live()
                self._read_at = now
                self._fresh_until = self._clock.monotonic() + _KEEP_SECONDS
            return self._known


def rendezvous(object_id: ObjectId, workers: Collection[LiveWorker]) -> LiveWorker | None:
    """The worker whose hash with the object is the greatest."""
    return max(workers, key=lambda worker: _weight(object_id, worker.worker_id), default=None)


def _weight(object_id: ObjectId, worker_id: WorkerId) -> bytes:
    return blake2b(object_id.uuid.bytes + worker_id.bytes, digest_size=16).digest()
