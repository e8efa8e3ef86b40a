"""What belongs to no single worker: how much there is, by the database's word.

Whoever answers a scrape asks for it, and not more often than every few seconds.
"""

import asyncio
from typing import Final

from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.listing import ObjectListing
from ..core.metrics import Reading

_SECONDS: Final = 2.0
_KEEP_SECONDS: Final = 5.0


class ClusterReadings:
    """See the module.

    Args:
        listing: What there is.
        clock: How old what was read is.
    """

    def __init__(self, listing: ObjectListing, clock: Clock) -> None:
        self._listing = listing
        self._clock = clock
        self._known: list[Reading] = []
        self._fresh_until = float("-inf")
        self._reading = asyncio.Lock()

    async def read(self) -> list[Reading]:
        """Return it; nothing while the database does not answer."""
        async with self._reading:  # one reads for all who ask while it does
            if self._clock.monotonic() >= self._fresh_until:
                try:
                    async with asyncio.timeout(_SECONDS):
                        self._known = await self._read()
                except (StateroomError, TimeoutError):
                    self._known = []
                self._fresh_until = self._clock.monotonic() + _KEEP_SECONDS
            return self._known

    async def _read(self) -> list[Reading]:
        figures = await self._listing.figures()
        found = [
            Reading("workers", ("live",), figures.workers_live),
            Reading("workers", ("draining",), figures.workers_draining),
            Reading("objects_live", (), figures.objects_live.number),
            Reading("alarms_pending", (), figures.alarms_pending.number),
            Reading("database_bytes", (), figures.database_bytes),
        ]
        for each in await self._listing.totals():
            found.append(Reading("objects", (each.namespace,), each.objects))
            found.append(Reading("stored_bytes", (each.namespace,), each.size_bytes))
        return found
