"""This worker's standing among the workers: register, renew, and start again after a loss.

One task renews the lease. When a renewal comes too late, or the database says that the lease has
ended, every room is aborted at once and the worker starts again under a new id; until that works
it serves nothing (architecture, section 7, 'Leases').
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum, auto

import structlog

from ..core.clock import Clock, DatabaseClock
from ..core.errors import LeaseLost, StateroomError, StoreUnavailable
from ..core.ids import WorkerId
from ..core.ports import LeaseCheck, WorkerLeases
from ..core.tasks import TaskOwner
from ..core.values import WorkerIdentity
from .lease import WorkerLease

_log = structlog.get_logger("stateroom.membership")


class Standing(Enum):
    """OUTSIDE: no lease. LIVE: may claim rooms. LEAVING: gives its rooms up."""

    OUTSIDE = auto()
    LIVE = auto()
    LEAVING = auto()


class Membership:
    """See the module. `holds` makes it the `LeaseCheck` that outlives single leases.

    Args:
        leases: The rows of workers.
        clock: Counts deadlines.
        database_clock: Gets a sample from every answer.
        identity: Who this worker is; its worker_id is replaced after each lost lease.
        lease_seconds: How long the database keeps the lease.
        renew_seconds: How often it is renewed.
        begun: Awaited with each new life's id and lease, before any room is claimed under it.
        lost: Called when the lease has ended: abort every room.
    """

    def __init__(
        self,
        *,
        leases: WorkerLeases,
        clock: Clock,
        database_clock: DatabaseClock,
        identity: WorkerIdentity,
        lease_seconds: float,
        renew_seconds: float,
        begun: Callable[[WorkerId, LeaseCheck], Awaitable[None]],
        lost: Callable[[StateroomError], None],
    ) -> None:
        self._leases = leases
        self._clock = clock
        self._database_clock = database_clock
        self._identity = identity
        self._lease_seconds = lease_seconds
        self._renew_seconds = renew_seconds
        self._begun = begun
        self._lost = lost
        self._lease = WorkerLease(clock, lease_seconds=lease_seconds)
        self._tasks = TaskOwner("membership")
        self.standing = Standing.OUTSIDE

    @property
    def worker_id(self) -> WorkerId:
        """Under which id rooms are claimed now."""
        return self._identity.worker_id

    @property
    def margin_seconds(self) -> float:
        """How long the lease still holds without a renewal."""
        return self._lease.margin_seconds

    def holds(self) -> bool:
        """See `core.ports.LeaseCheck`."""
        return self._lease.holds()

    async def start(self) -> None:
        """Register and begin to renew.

        Raises:
            WorkerSlotTaken: Another live process stands in this node's slot.
            StoreUnavailable: The database is away.
        """
        await self._register()
        self._tasks.start(self._keep(), name="renewals")

    async def leave(self) -> None:
        """Stop claiming, for ever; the lease goes on so that rooms can be given up in order."""
        self.standing = Standing.LEAVING

    async def close(self) -> None:
        """Stop renewing and mark the worker's row dead, so that nobody waits for its lease."""
        await self._tasks.close()
        held = self._lease.holds()
        self._lease.end()
        self.standing = Standing.OUTSIDE
        if held:
            try:
                await self._leases.retire(self.worker_id)
            except StoreUnavailable:
                _log.warning("retire_failed", worker=str(self.worker_id))

    async def _register(self) -> None:
        lease = WorkerLease(self._clock, lease_seconds=self._lease_seconds)
        asked_at = self._clock.monotonic()
        grant = await self._leases.register(self._identity, lease_seconds=self._lease_seconds)
        self._sample(grant.database_ms, asked_at)
        if lease.granted(asked_at=asked_at):
            await self._begun(self.worker_id, lease)
            self._lease = lease
            if self.standing is Standing.OUTSIDE:
                self.standing = Standing.LIVE
            _log.info("worker_live", worker=str(self.worker_id))

    async def _keep(self) -> None:
        """Renew for ever; the wait between renewals also bounds how late a loss is noticed."""
        while True:
            await self._clock.sleep(self._pause())
            if self._lease.holds():
                await self._renew()
            if not self._lease.holds() and not await self._begin_again():
                return

    def _pause(self) -> float:
        margin = self._lease.margin_seconds
        return min(self._renew_seconds, margin) if margin > 0 else self._renew_seconds / 4

    async def _renew(self) -> None:
        asked_at = self._clock.monotonic()
        try:
            # An answer after the deadline is worth nothing: nobody waits for it.
            async with asyncio.timeout(self._lease.margin_seconds):
                grant = await self._leases.renew(self.worker_id, lease_seconds=self._lease_seconds)
        except (StateroomError, TimeoutError):
            _log.warning("renewal_failed", margin_seconds=round(self._lease.margin_seconds, 3))
            return
        if grant is None:
            _log.error("lease_ended_by_database", worker=str(self.worker_id))
            self._lease.end()
            return
        self._sample(grant.database_ms, asked_at)
        self._lease.granted(asked_at=asked_at)

    async def _begin_again(self) -> bool:
        """The lease is over: throw the rooms away, come back as somebody new.

        Every try has an id of its own: the row that a try left behind half way is buried by the
        next one, and what is dead stays dead. A worker that is leaving does not come back; returns
        whether there is anything left to try.
        """
        if self.standing is not Standing.OUTSIDE:
            self._lost(LeaseLost())
        if self.standing is Standing.LEAVING:
            return False
        self.standing = Standing.OUTSIDE
        self._identity = replace(self._identity, worker_id=WorkerId(uuid.uuid4()))
        try:
            # Our own former life in this slot is dead: it was this very process.
            await self._leases.bury(
                node=self._identity.node,
                slot=self._identity.slot,
                boot_id=self._identity.boot_id,
            )
            await self._register()
        except StateroomError as error:
            _log.warning("registration_failed", code=error.code)
        return True

    def _sample(self, database_ms: int, asked_at: float) -> None:
        self._database_clock.sample(
            database_ms=database_ms, sent=asked_at, received=self._clock.monotonic()
        )
