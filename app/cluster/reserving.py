"""Objects that are held back for a moment: nobody opens them here, and they are claimed for us.

Whoever writes into objects that nobody uses (an import) claims them like a room would, and has no
room. Were one of them opened here meanwhile, this worker would claim it twice and the room would
go on with rows that are not the newest. So they are reserved first: whoever asks for one here
waits, as for a room that is just leaving, and opens it afterwards from what was written.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from ..core.backup import Staging
from ..core.ids import ObjectId
from ..core.tasks import TaskOwner
from ..core.values import Claim, LiveWorker
from ..room.environment import RoomEnvironment
from .claiming import Claiming

_AT_ONCE: Final = 3
"""Statements at once, of the few connections that all reads of the worker share."""

Leaving = dict[UUID, "asyncio.Task[LiveWorker | None]"]


class Reservations:
    """See the module.

    Args:
        leaving: The rooms that others wait for until they are gone; reserved objects are added.
        claims: Claims for this worker, and gives claims back.
        tasks: Owner of what others wait for.
        environment: What rooms read from and commit to.
    """

    def __init__(
        self,
        leaving: Leaving,
        claims: Claiming,
        tasks: TaskOwner,
        environment: RoomEnvironment,
    ) -> None:
        self.store = environment.store
        """Where claimed objects are looked at."""
        self.committer = environment.committer
        """Where they are written."""
        self._leaving = leaving
        self._claims = claims
        self._tasks = tasks
        self._few = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def hold(self, objects: Collection[ObjectId]) -> AsyncIterator[None]:
        """Keep objects from being opened here, until the block ends.

        The caller has just seen, in the same step, that none of them is in the registry.
        """
        over = asyncio.Event()

        async def wait() -> None:
            await over.wait()

        task = self._tasks.start(wait(), name="reservation")
        keys = [object_id.uuid for object_id in objects]
        for key in keys:
            self._leaving[key] = task

        def let_go(_task: object) -> None:
            for key in keys:
                if self._leaving.get(key) is task:
                    del self._leaving[key]

        task.add_done_callback(let_go)  # also when the worker stops
        try:
            yield
        finally:
            let_go(task)
            over.set()

    @asynccontextmanager
    async def claimed(self, object_id: ObjectId) -> AsyncIterator[Claim]:
        """Claim a reserved object, and give it back when the block ends, however it ends.

        Raises:
            StateroomError: See `Claiming.claim`.
        """
        async with self._few:
            claim = await self._claims.claim(object_id)
        try:
            yield claim
        finally:
            await self._claims.give_back(claim)

    @asynccontextmanager
    async def new(
        self, objects: Collection[ObjectId], staging: Staging
    ) -> AsyncIterator[dict[UUID, Claim]]:
        """Claim those reserved objects that do not exist yet; give them back as `claimed` does.

        Raises:
            StateroomError: See `Claiming.claim_new`.
        """
        claims = await self._claims.claim_new(objects, staging)
        try:
            yield {claim.object_id.uuid: claim for claim in claims}
        finally:
            await self._claims.give_back_all(claims, staging)
