"""What one worker counts and measures, put together, and how the others are asked for theirs."""

import asyncio
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from .. import BUILD, __version__
from ..cluster.link_service import LinkService
from ..cluster.links import Links
from ..cluster.membership import Membership
from ..cluster.metrics import METRICS_CALL, MetricsGathering
from ..cluster.metrics_worker import WorkerReadings
from ..cluster.moving import Mover
from ..cluster.registry import RoomRegistry
from ..core import admin_errors, errors
from ..core.clock import Clock
from ..core.errors import StateroomError, WorkerLeaving
from ..core.metrics import Readable, Reading, Tally
from ..settings import Settings
from ..store.commit_meter import CommitMeter
from ..store.database import Database
from ..store.workers import PostgresWorkerList
from ..tinybase.tally import TALLY
from .process import ProcessReadings

_PING_SECONDS: Final = 1.0
_BUILD: Final = BUILD.value.partition(":")[0]
"""Without the reason why."""
_FROM_THE_START: Final = {
    "handshakes": ("accepted", "refused", "given"),
    "handoffs": ("given", "taken"),
}
"""Told as 0 before they have happened."""


class WorkerMetrics:
    """See the module.

    Args:
        settings: What was decided.
        clock: Measures.

    Attributes:
        tally: Counts what happens.
        commits: Measures commits.
        process: Measures the process.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.tally = Tally()
        for name, labels in _FROM_THE_START.items():
            for label in labels:
                self.tally.add(0, name, label)
        self.commits = CommitMeter(clock)
        self.process = ProcessReadings(clock)
        self._sockets: dict[str, Callable[[], int]] = {}
        self._sources: list[Readable] = [self.tally, self.commits, self.process, self]
        self._gathering: MetricsGathering | None = None

    def count_sockets(self, engine: str, count: Callable[[], int]) -> None:
        """Let an engine tell how many sockets it serves."""
        self._sockets[engine] = count

    def add(self, source: Readable) -> None:
        """Let somebody else tell what it has counted."""
        self._sources.append(source)

    def serve(self, service: LinkService) -> None:
        """Tell other workers, from `join` on."""
        service.serve_worker(METRICS_CALL, self._tell)

    def join(
        self,
        registry: RoomRegistry,
        membership: Membership,
        mover: Mover,
        *,
        links: Links,
        database: Database,
    ) -> MetricsGathering:
        """Read these from now on; returns what asks all workers."""
        place = membership.identity

        def info(worker_id: str) -> tuple[str, ...]:
            schema = str(database.cluster.schema_version)
            python = platform.python_version()
            return place.node, str(place.slot), worker_id, __version__, _BUILD, python, schema

        own = WorkerReadings(
            registry=registry,
            membership=membership,
            mover=mover,
            links=links,
            clock=self._clock,
            queue_seconds=self._settings.queue_seconds,
            codes=codes(),
            info=info,
            sources=self._sources,
            probes=(lambda: self._ping(database),),
        )
        self._gathering = MetricsGathering(
            own.read,
            rows=PostgresWorkerList(database),
            links=links,
            clock=self._clock,
            node=place.node,
            slot=place.slot,
        )
        return self._gathering

    async def _tell(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        if self._gathering is None:
            raise WorkerLeaving("the worker is only just starting")
        return await self._gathering.tell(meta)

    def read(self) -> Iterable[Reading]:
        """What nobody else tells."""
        for engine, count in self._sockets.items():
            yield Reading("sockets", (engine,), count())
        if self._settings.database_url is None:
            yield Reading("embedded_postgres", (), 1)
        for name, total in TALLY.counts():
            yield Reading(name, (), total)

    async def _ping(self, database: Database) -> Sequence[Reading]:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await database.fetch("select 1")
        except (StateroomError, TimeoutError):
            return [Reading("database_up", (), 0)]
        seconds = self._clock.monotonic() - began
        return [Reading("database_up", (), 1), Reading("database_ping_seconds", (), seconds)]


def codes() -> frozenset[str]:
    """The codes of our errors, which are the only ones that may be labels."""
    return frozenset(
        kind.code
        for module in (errors, admin_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, StateroomError)
    )
