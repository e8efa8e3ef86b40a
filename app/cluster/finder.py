"""Finds the worker that holds an object: this one, or another over a link.

An object that nobody holds is claimed here (first touch). Where it was found elsewhere is
remembered until that proves wrong; a refusal forgets it, and the claim that follows says who
holds it now. Nothing is forwarded twice: a worker that is asked over a link serves the object
itself or says who it is not (architecture, sections 1 and 9 e).
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar
from uuid import UUID

from ..core.clock import Clock
from ..core.errors import (
    LinkBroken,
    OwnedElsewhere,
    RoomAborted,
    StateroomError,
    WorkerLeaving,
)
from ..core.ids import ObjectId, WorkerId
from .link import Link
from .links import Links
from .registry import RoomRegistry

ResultT = TypeVar("ResultT")

_PAUSE_SECONDS = 0.05
_PLACEMENTS = 100_000


class Placement(NamedTuple):
    """Who held an object when it was last looked for."""

    worker_id: WorkerId
    address: str


class _Unreachable(Exception):
    """No link could be made: nothing was asked of anybody, so it may be tried again."""

    def __init__(self, error: LinkBroken) -> None:
        super().__init__(str(error))
        self.error = error


class OwnerFinder:
    """See the module.

    Args:
        registry: The rooms of this worker.
        clock: For the waits between tries.
        patience_seconds: How long to look for an object whose holder does not answer: a dead
            worker's lease may have to run out first.
    """

    def __init__(self, registry: RoomRegistry, *, clock: Clock, patience_seconds: float) -> None:
        self._registry = registry
        self._links: Links | None = None
        self._clock = clock
        self._patience = patience_seconds
        self._placements: dict[UUID, Placement] = {}

    def use(self, links: Links) -> None:
        """Reach other workers over these links; without, every object is looked for here."""
        self._links = links

    def is_here(self, object_id: ObjectId) -> bool:
        """Whether a socket would join in the very step that asks, as far as is known."""
        return object_id in self._registry or object_id.uuid not in self._placements

    async def reach(
        self,
        object_id: ObjectId,
        here: Callable[[], Awaitable[ResultT]],
        there: Callable[[Link], Awaitable[ResultT]],
    ) -> ResultT:
        """Serve here or there; look again when the place turns out to be wrong.

        What `here` and `there` raise must mean that nothing has begun, for they may be tried
        again; the failure of something that had begun is what they return (`questions`).

        Raises:
            StateroomError: What serving raised, or why nobody could be reached in time.
        """
        give_up_at = self._clock.monotonic() + self._patience
        while True:
            try:
                placement = self._placements.get(object_id.uuid)
                if placement is None or object_id in self._registry:
                    return await here()
                return await there(await self._link_to(placement))
            except _Unreachable as wrong_way:
                if not self._look_again(object_id, wrong_way.error, give_up_at):
                    raise wrong_way.error from wrong_way
            except (OwnedElsewhere, WorkerLeaving, RoomAborted) as error:
                if not self._look_again(object_id, error, give_up_at):
                    raise
            if object_id.uuid not in self._placements:
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _link_to(self, placement: Placement) -> Link:
        assert self._links is not None  # noqa: S101 - a placement is made with links only
        try:
            return await self._links.to(placement.worker_id, placement.address)
        except LinkBroken as error:
            raise _Unreachable(error) from error

    def _look_again(self, object_id: ObjectId, error: StateroomError, give_up_at: float) -> bool:
        """Learn from an error where the object is or is not; False when it is time to give up."""
        was_known = self._placements.pop(object_id.uuid, None) is not None
        if isinstance(error, OwnedElsewhere) and error.address and self._links is not None:
            if error.worker_id is not None and not was_known:
                if len(self._placements) >= _PLACEMENTS:
                    self._placements.clear()
                self._placements[object_id.uuid] = Placement(
                    WorkerId(error.worker_id), error.address
                )
        elif isinstance(error, WorkerLeaving) and not was_known:
            return False  # it is we who are leaving
        return self._clock.monotonic() < give_up_at
