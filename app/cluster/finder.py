"""Finds the worker that holds an object: this one, or another over a link.

An object that nobody holds is claimed here (first touch). Where it was found elsewhere is
remembered until that proves wrong; a refusal forgets it, and says who holds it now or leaves that
to the claim that follows. A worker that drains claims nothing: it asks another one that takes
rooms. Nothing is forwarded twice: a worker that is asked over a link serves the object itself or
says who it is not (architecture, sections 1 and 9 d, e).
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar
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
from ..core.values import LiveWorker
from .link import Link
from .links import Links
from .peers import Peers
from .registry import RoomRegistry

ResultT = TypeVar("ResultT")

_PAUSE_SECONDS = 0.05
_PAUSE_GROWTH = 1.2
_LONGEST_PAUSE_SECONDS = 0.2
_PLACEMENTS = 100_000


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
        self._peers: Peers | None = None
        self._clock = clock
        self._patience = patience_seconds
        self._placements: dict[UUID, LiveWorker] = {}

    def use(self, links: Links, peers: Peers) -> None:
        """Reach other workers over these links; without, every object is looked for here."""
        self._links = links
        self._peers = peers

    def note(self, object_id: ObjectId, holder: LiveWorker) -> None:
        """Look for an object at this worker first."""
        if len(self._placements) >= _PLACEMENTS:
            self._placements.clear()
        self._placements[object_id.uuid] = holder

    def is_here(self, object_id: ObjectId) -> bool:
        """Whether a socket would join in the very step that asks, as far as is known."""
        return object_id in self._registry or object_id.uuid not in self._placements

    def at_hand(self, object_id: ObjectId) -> Link | None:
        """The link to the object's holder, if it is up and the object not here, as far as known."""
        placement = self._placements.get(object_id.uuid)
        if placement is None or self._links is None or object_id in self._registry:
            return None
        return self._links.at_hand(placement.worker_id)

    async def reach(
        self,
        object_id: ObjectId,
        here: Callable[[], Awaitable[ResultT]],
        there: Callable[[Link], Awaitable[ResultT]],
        beside: Callable[[LiveWorker], Awaitable[ResultT | None]] | None = None,
    ) -> ResultT:
        """Serve here or there; look again when the place turns out to be wrong.

        What `here` and `there` raise must mean that nothing has begun, for they may be tried
        again; the failure of something that had begun is what they return (`questions`).
        `beside` is tried once with each holder, before there is a link to it: it serves, returns
        None when a link has to, or raises WorkerLeaving when the holder has given the object up.

        Raises:
            StateroomError: What serving raised, or why nobody could be reached in time.
        """
        give_up_at = self._clock.monotonic() + self._patience
        pauses = _pauses()
        refusals = _Refusals()
        asked: set[WorkerId] = set()
        while True:
            placement = self._placements.get(object_id.uuid)
            if object_id in self._registry:
                placement = None
            try:
                if placement is None:
                    return await here()
                if beside is not None and placement.worker_id not in asked:
                    asked.add(placement.worker_id)
                    if (served := await beside(placement)) is not None:
                        return served
                asked.add(placement.worker_id)
                return await there(await self._link_to(placement))
            except _Unreachable as wrong_way:
                error: StateroomError = wrong_way.error
            except (OwnedElsewhere, WorkerLeaving, RoomAborted) as wrong_place:
                error = wrong_place
            if not await self._learn(object_id, placement, error, refusals):
                raise error
            if self._clock.monotonic() >= give_up_at:
                raise error
            found = self._placements.get(object_id.uuid)
            again = found is not None and found.worker_id in asked
            # A holder that gave the object up just now has said so: it is free.
            free = placement is not None and isinstance(error, WorkerLeaving)
            if again or (found is None and not free):
                await self._clock.sleep(next(pauses))

    async def link_to(self, holder: LiveWorker) -> Link | None:
        """The link to a worker that is known to hold something; None when that is this one.

        Raises:
            LinkBroken: There can be none.
        """
        if self._links is None or self._peers is None:
            raise LinkBroken("this worker has no links")
        if holder.worker_id == self._peers.own_id:
            return None
        if not holder.address:
            raise LinkBroken("that worker has no address")
        return await self._links.to(holder.worker_id, holder.address)

    async def _link_to(self, placement: LiveWorker) -> Link:
        assert self._links is not None  # noqa: S101 - a placement is made with links only
        try:
            return await self._links.to(placement.worker_id, placement.address)
        except LinkBroken as error:
            raise _Unreachable(error) from error

    async def _learn(
        self,
        object_id: ObjectId,
        placement: LiveWorker | None,
        error: StateroomError,
        refusals: "_Refusals",
    ) -> bool:
        """Learn from an error where the object is or is not; False when nobody can be asked."""
        if placement is not None:
            if self._placements.get(object_id.uuid) is placement:
                del self._placements[object_id.uuid]
            if isinstance(error, WorkerLeaving):
                refusals.leaving.add(placement.worker_id)
            elif isinstance(error, LinkBroken):
                refusals.unreachable.add(placement.worker_id)
        if self._peers is None:
            return not isinstance(error, WorkerLeaving)
        if isinstance(error, OwnedElsewhere):
            if error.address and error.worker_id not in {None, self._peers.own_id}:
                holder = LiveWorker(worker_id=WorkerId(error.worker_id), address=error.address)
                self.note(object_id, holder)
        elif isinstance(error, WorkerLeaving) and placement is None:
            return await self._choose(object_id, self._peers, refusals)
        return True

    async def _choose(self, object_id: ObjectId, peers: Peers, refusals: "_Refusals") -> bool:
        """It is we who are leaving: let another worker take the object."""
        without = refusals.unreachable | {peers.own_id}
        chosen = await peers.choose(object_id, without=without | refusals.leaving)
        if chosen is None and refusals.leaving:
            # The list is new, and who was leaving when we asked may have come back meanwhile.
            chosen = await peers.choose(object_id, without=without)
        if chosen is not None:
            self.note(object_id, chosen)
        return chosen is not None


class _Refusals:
    """Who did not take the object, in one search for it."""

    __slots__ = ("leaving", "unreachable")

    def __init__(self) -> None:
        self.leaving: set[WorkerId] = set()
        self.unreachable: set[WorkerId] = set()


def _pauses() -> Iterator[float]:
    """How long to wait between looks: a lease that runs out brings many here at once."""
    pause = _PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
