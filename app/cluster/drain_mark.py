"""What a worker's row says about whether it takes rooms, and keeping that true."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.ports import WorkerLeases
from .membership import Membership

_LOOK_SECONDS = 1.0


class DrainMark:
    """See the module.

    Args:
        leases: Where the row is.
        membership: Whose row it is, and what it said at the last renewal.
        clock: For the pauses between looks.
    """

    def __init__(self, leases: WorkerLeases, membership: Membership, clock: Clock) -> None:
        self._leases = leases
        self._membership = membership
        self._clock = clock
        self._saying = asyncio.Lock()  # the row says what was said last

    async def say(self, *, draining: bool) -> None:
        """Let the row say it now.

        Raises:
            StoreUnavailable: The database is away; whether the row says it is not known.
        """
        async with self._saying:
            await self._leases.set_draining(self._membership.worker_id, draining=draining)

    async def keep(self, draining: Callable[[], bool]) -> None:
        """Let the row say what is so, for ever.

        It does not after a lost lease, which makes another life that nobody knows to drain; nor
        when a mark whose answer was lost is applied long after it was taken back.
        """
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            if self._membership.holds() and self._membership.marked_draining != draining():
                with suppress(StateroomError):
                    await self._repeat(draining)

    async def _repeat(self, draining: Callable[[], bool]) -> None:
        async with self._saying:  # what is so once nobody else is saying it
            await self._leases.set_draining(self._membership.worker_id, draining=draining())
