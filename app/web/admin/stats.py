"""Figures about everything. Each is found in a bounded time, however much there is."""

from ...core.listing import BoundedCount, ObjectListing
from .models import Told
from .namespaces import NamespaceOperations, NamespaceTold
from .operation import AdminCall, Operation, Role


class CountTold(Told):
    """A number that was counted up to a bound."""

    number: int
    """How many, or the bound."""
    exact: bool
    """False: there are more than `number`."""

    @classmethod
    def of(cls, count: BoundedCount) -> "CountTold":
        """Say a count."""
        return cls(number=count.number, exact=count.exact)


class WorkersTold(Told):
    """The workers, in numbers."""

    live: int
    """Those that take objects."""
    draining: int
    """Those that give theirs up."""


class StatsTold(Told):
    """Figures about everything."""

    objects: int
    """How many objects there are."""
    size_bytes: int
    """What they store together, as each was last measured."""
    rows: int
    """How many keys they have stored."""
    objects_live: CountTold
    """How many of them a live worker holds."""
    alarms_pending: CountTold
    """How many alarms will be rung."""
    workers: WorkersTold
    """The workers."""
    database_bytes: int
    """What the whole database takes on disk."""
    namespaces: list[NamespaceTold]
    """The same by namespace."""


class StatsOperations:
    """See the module.

    Args:
        listing: What there is.
        namespaces: Tells what each namespace holds.
    """

    def __init__(self, listing: ObjectListing, namespaces: NamespaceOperations) -> None:
        self._listing = listing
        self._namespaces = namespaces

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="get_stats",
                method="GET",
                path="/stats",
                role=Role.VIEWER,
                tag="objects",
                summary="Tell figures about everything",
                handle=self._stats,
                answer=StatsTold,
            )
        ]

    async def _stats(self, _call: AdminCall) -> StatsTold:
        namespaces = await self._namespaces.all()
        figures = await self._listing.figures()
        return StatsTold(
            objects=sum(each.objects for each in namespaces),
            size_bytes=sum(each.size_bytes for each in namespaces),
            rows=sum(each.rows for each in namespaces),
            objects_live=CountTold.of(figures.objects_live),
            alarms_pending=CountTold.of(figures.alarms_pending),
            workers=WorkersTold(live=figures.workers_live, draining=figures.workers_draining),
            database_bytes=figures.database_bytes,
            namespaces=namespaces,
        )
