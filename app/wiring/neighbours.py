"""What a worker has for its dealings with the others: it finds, calls and moves objects there."""

from ..cluster.calls import Calls
from ..cluster.finder import OwnerFinder
from ..cluster.link_service import LinkService
from ..cluster.links import Links
from ..cluster.locator import Locator
from ..cluster.log_levels import LogLevels
from ..cluster.membership import Membership
from ..cluster.moving import Mover
from ..cluster.object_life import ObjectLife
from ..cluster.peers import Peers
from ..cluster.purging import Purger
from ..cluster.registry import RoomRegistry
from ..cluster.steering import Steering
from ..cluster.stubs import OutsideStubs
from ..cluster.usage import Usages
from ..cluster.worker_steering import WorkerSteering
from ..core.clock import Clock
from ..logs import set_namespace_levels
from ..settings import Settings
from ..store.database import Database
from ..store.leases import PostgresWorkerLeases
from ..store.namespace_settings import PostgresNamespaceSettings
from ..store.object_states import PostgresObjectStates
from ..store.owners import PostgresObjectOwners
from ..store.usage import PostgresUsageBook
from ..store.workers import PostgresWorkerList
from .metrics import WorkerMetrics


class Neighbours:
    """See the module.

    Args:
        settings: How long to look for an object: until a dead holder's lease has run out.
        registry: The rooms of this worker.
        membership: This worker's standing.
        database: The list of workers.
        links: The ways to them.
        clock: For waits and deadlines.
        metrics: What is counted and measured here.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: RoomRegistry,
        membership: Membership,
        database: Database,
        links: Links,
        clock: Clock,
        metrics: WorkerMetrics,
    ) -> None:
        self.registry, self.metrics, self.links = registry, metrics, links
        workers, states = PostgresWorkerList(database), PostgresObjectStates(database)
        peers = Peers(workers, clock=clock, own_id=lambda: membership.worker_id)
        patience = settings.lease_seconds + settings.renew_seconds
        self.finder = OwnerFinder(registry, clock=clock, patience_seconds=patience)
        self.finder.use(links, peers)
        self.locator = Locator(registry, self.finder)
        self.mover = Mover(
            registry=registry,
            membership=membership,
            leases=PostgresWorkerLeases(database),
            peers=peers,
            links=links,
            finder=self.finder,
            clock=clock,
        )
        self.workers = WorkerSteering(
            registry=registry,
            mover=self.mover,
            rows=workers,
            links=links,
            own_id=lambda: membership.worker_id,
        )
        self.life = ObjectLife(
            registry=registry,
            finder=self.finder,
            mover=self.mover,
            states=states,
            holder=self.workers.link_to,
        )
        self.purger = Purger(states, clock)
        self.log_levels = LogLevels(
            PostgresNamespaceSettings(database), clock, apply=set_namespace_levels
        )
        self.usages = self._usages(settings, registry, membership, database, links, clock)
        self.calls = Calls(registry, self.finder, clock=clock)
        self.stubs = OutsideStubs(self.calls)
        self.steering = Steering(registry, self.finder, PostgresObjectOwners(database))

    @staticmethod
    def _usages(
        settings: Settings,
        registry: RoomRegistry,
        membership: Membership,
        database: Database,
        links: Links,
        clock: Clock,
    ) -> Usages:
        return Usages(
            ledger=registry.ledger,
            book=PostgresUsageBook(database),
            ids=database.object_ids,
            rows=PostgresWorkerList(database),
            links=links,
            own_id=lambda: membership.worker_id,
            clock=clock,
            write_seconds=settings.usage_seconds,
        )

    def serve(self, service: LinkService) -> None:
        """Answer what other workers ask."""
        self.calls.serve(service)
        self.mover.serve(service)
        self.steering.serve(service)
        self.workers.serve(service)
        self.life.serve(service)
        self.usages.serve(service)
        self.metrics.serve(service)

    async def close(self) -> None:
        """Stop what is under way."""
        await self.calls.close()
        await self.mover.close()
