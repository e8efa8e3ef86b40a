"""What one worker has to tell of itself: its rooms, its lease, its links, and what others count."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from ..core.clock import Clock
from ..core.metric_catalogue import METRICS
from ..core.metrics import Kind, Readable, Reading, only_known
from ..core.usage import Usage
from .links import Links
from .membership import Membership
from .metrics_rooms import read_rooms
from .moving import Duty, Mover
from .registry import RoomRegistry

_OF_CODES: Final = ("room_aborts", "rejects", "alarms_postponed")
"""Their label is the code of an error, and an author's class of ours may have any."""

Probe = Callable[[], Awaitable[Sequence[Reading]]]
"""Finds out something that takes a moment; raises nothing, and has a deadline of its own."""


class WorkerReadings:
    """See the module.

    Args:
        registry: The rooms.
        membership: The lease.
        mover: The duty.
        links: The links.
        clock: Tells how long events wait.
        queue_seconds: After how long a waiting event is refused.
        codes: The codes of our errors.
        info: The labels of `worker_info`, but for the worker's id.
        sources: Whoever else counts something.
        probes: What has to be waited for.
    """

    def __init__(
        self,
        *,
        registry: RoomRegistry,
        membership: Membership,
        mover: Mover,
        links: Links,
        clock: Clock,
        queue_seconds: float,
        codes: frozenset[str],
        info: Callable[[str], tuple[str, ...]],
        sources: Sequence[Readable],
        probes: Sequence[Probe] = (),
    ) -> None:
        self._registry = registry
        self._membership = membership
        self._mover = mover
        self._links = links
        self._clock = clock
        self._queue_seconds = queue_seconds
        self._codes = codes
        self._info = info
        self._sources = sources
        self._probes = probes

    async def read(self) -> list[Reading]:
        """Read everything now."""
        now = self._clock.monotonic()
        found = await read_rooms(self._registry, now=now, queue_seconds=self._queue_seconds)
        for probe in self._probes:
            found += await probe()
        found += self._standing()
        found += self._of_links()
        found += _of_usage(self._registry.ledger.totals)
        for source in self._sources:
            found += source.read()
        found += _not_yet(found)
        known: Iterable[Reading] = found
        for metric in _OF_CODES:
            known = only_known(known, metric, 0, self._codes)
        return list(known)

    def _standing(self) -> list[Reading]:
        membership = self._membership
        info = self._info(str(membership.worker_id))
        return [
            Reading("worker_info", info, 1),
            *(
                Reading("worker_duty", (duty.value,), int(self._mover.duty is duty))
                for duty in Duty
            ),
            Reading("lease_margin_seconds", (), membership.margin_seconds),
            Reading("lease_seconds", (), membership.lease_seconds),
            Reading("renewals_failed", (), membership.renewals_failed),
            Reading("leases_lost", (), membership.leases_lost),
        ]

    def _of_links(self) -> list[Reading]:
        load = self._links.load()
        return [
            Reading("links", (), load.links),
            Reading("link_streams", (), load.streams),
            Reading("link_queued_bytes", (), load.queued_bytes),
            Reading("link_bytes", ("in",), load.traffic.received_bytes),
            Reading("link_bytes", ("out",), load.traffic.sent_bytes),
            Reading("link_waits", (), load.traffic.waits),
        ]


def _of_usage(usage: Usage) -> list[Reading]:
    """What the objects of the worker have cost."""
    return [
        Reading("events", (), usage.events),
        Reading("object_cpu_seconds", (), usage.cpu_us / 1_000_000),
        Reading("event_seconds", (), usage.wall_us / 1_000_000),
        Reading("messages", ("in",), usage.messages_in),
        Reading("messages", ("out",), usage.messages_out),
        Reading("object_bytes", ("in",), usage.bytes_in),
        Reading("object_bytes", ("out",), usage.bytes_out),
        Reading("requests", (), usage.requests),
        Reading("wakes", (), usage.wakes),
        Reading("rows_written", (), usage.rows_written),
        Reading("bytes_written", (), usage.bytes_written),
    ]


def _not_yet(found: Iterable[Reading]) -> list[Reading]:
    """What has not been counted yet: a counter that first appears with 1 has not grown."""
    told = {reading.metric for reading in found}
    return [
        Reading(metric.name, (), 0)
        for metric in METRICS.values()
        if metric.kind is Kind.COUNTER and not metric.labels and metric.name not in told
    ]
