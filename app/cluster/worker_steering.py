"""What an operator sees and does of workers; any worker answers for any other, over a link.

What the database says of a worker is told always; what it has in hand only if it answers in time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..core.errors import LinkBroken, StateroomError, WorkerNotLive
from ..core.ids import WorkerId
from ..core.worker_rows import WorkerRow, WorkerRows, WorkerState
from ..core.workshop import breathe
from .link import Link
from .link_errors import NotBegun
from .link_service import ASK, LinkService
from .links import Links
from .moving import Mover
from .registry import RoomRegistry

_VITALS: Final = "worker-vitals"
_DRAIN: Final = "worker-drain"
_UNDRAIN: Final = "worker-undrain"
_VITALS_SECONDS: Final = 2.0
_SECONDS: Final = 10.0
_ROOMS_AT_A_LOOK: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerVitals:
    """What a worker says of itself.

    Attributes:
        duty: What it does with objects: serving, draining, or leaving for ever.
        rooms: How many objects it holds.
        awake: How many of them have an instance.
        connections: How many sockets they have.
    """

    duty: str
    rooms: int
    awake: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    """A worker by the database's word and by its own; the latter may be missing."""

    row: WorkerRow
    vitals: WorkerVitals | None


class WorkerSteering:
    """See the module.

    Args:
        registry: The rooms of this worker.
        mover: Drains this worker.
        rows: Every worker.
        links: The ways to them.
        own_id: Who we are now.
    """

    def __init__(
        self,
        *,
        registry: RoomRegistry,
        mover: Mover,
        rows: WorkerRows,
        links: Links,
        own_id: Callable[[], WorkerId],
    ) -> None:
        self._registry = registry
        self._mover = mover
        self._rows = rows
        self._links = links
        self._own_id = own_id

    def serve(self, service: LinkService) -> None:
        """Do it for other workers."""
        service.serve_worker(_VITALS, lambda _: self._tell_vitals())
        service.serve_worker(_DRAIN, _served(self._mover.drain_worker))
        service.serve_worker(_UNDRAIN, _served(self._mover.undrain))

    async def rows(self) -> list[WorkerRow]:
        """Return every worker, the dead of the last day included, in any order.

        Raises:
            StoreUnavailable: The database is away.
        """
        return await self._rows.rows()

    async def see(self, rows: Sequence[WorkerRow]) -> list[SeenWorker]:
        """Ask these workers what they have in hand."""
        vitals = await asyncio.gather(*(self._vitals_of(row) for row in rows))
        return [SeenWorker(row=row, vitals=seen) for row, seen in zip(rows, vitals, strict=True)]

    async def one(self, worker_id: WorkerId) -> SeenWorker | None:
        """Return one worker, if the database knows it.

        Raises:
            StoreUnavailable: The database is away.
        """
        row = await self._rows.row(worker_id)
        return None if row is None else SeenWorker(row=row, vitals=await self._vitals_of(row))

    async def drain(self, worker_id: WorkerId) -> None:
        """Let a worker give its objects up, and take no others; see `Mover.drain_worker`.

        Raises:
            WorkerNotLive: There is no such worker, or it is dead.
            WorkerLeaving: It is going away already.
            LinkBroken: It cannot be reached.
            StoreUnavailable: The database is away.
        """
        await self._tell(worker_id, _DRAIN, self._mover.drain_worker)

    async def undrain(self, worker_id: WorkerId) -> None:
        """Let a worker take objects again; raises as `drain`."""
        await self._tell(worker_id, _UNDRAIN, self._mover.undrain)

    async def link_to(self, worker_id: WorkerId) -> Link | None:
        """A link to another worker, also to one that drains; None if it is dead.

        Raises:
            LinkBroken: It cannot be reached.
            StoreUnavailable: The database is away.
        """
        row = await self._rows.row(worker_id)
        if row is None or row.state is WorkerState.DEAD:
            return None
        return await self._links.to(worker_id, row.identity.address)

    async def _tell(
        self, worker_id: WorkerId, kind: str, here: Callable[[], Awaitable[None]]
    ) -> None:
        if worker_id == self._own_id():
            await here()
            return
        link = await self.link_to(worker_id)
        if link is None:
            raise WorkerNotLive
        await _ask(link, kind, _SECONDS)

    async def _vitals_of(self, row: WorkerRow) -> WorkerVitals | None:
        worker_id = row.identity.worker_id
        if row.state is WorkerState.DEAD:
            return None
        if worker_id == self._own_id():
            return _vitals_from(await self._tell_vitals())
        try:
            async with asyncio.timeout(_VITALS_SECONDS):
                link = await self._links.to(worker_id, row.identity.address)
                return _vitals_from(await _ask(link, _VITALS, _VITALS_SECONDS))
        except (StateroomError, TimeoutError, KeyError, TypeError, ValueError):
            return None

    async def _tell_vitals(self) -> dict[str, Any]:
        rooms = list(self._registry.rooms)
        awake = connections = 0
        for number, room in enumerate(rooms, 1):
            awake += room.awake
            connections += len(room.members)
            if number % _ROOMS_AT_A_LOOK == 0:
                await breathe()
        return {
            "duty": self._mover.duty.value,
            "rooms": len(rooms),
            "awake": awake,
            "connections": connections,
        }


def _served(work: Callable[[], Awaitable[None]]) -> Callable[[Mapping[str, Any]], Awaitable[Any]]:
    async def serve(_meta: Mapping[str, Any]) -> dict[str, Any]:
        await work()
        return {}

    return serve


async def _ask(link: Link, kind: str, seconds: float) -> Mapping[str, Any]:
    try:
        answer, _ = await link.call({ASK: kind}, b"", within_seconds=seconds)
    except NotBegun as refused:
        raise refused.error from refused
    except LinkBroken as broken:
        raise LinkBroken("the worker does not answer") from broken
    return answer


def _vitals_from(answer: Mapping[str, Any]) -> WorkerVitals:
    return WorkerVitals(
        duty=str(answer["duty"]),
        rooms=int(answer["rooms"]),
        awake=int(answer["awake"]),
        connections=int(answer["connections"]),
    )
