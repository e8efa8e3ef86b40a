"""This worker's standing among the workers: register, renew, and start again after a loss.

The rules are in `lease_protocol`; this is the shell that does its errands. One task runs them, one
after the other. When a renewal comes too late, or the database says that the lease has ended,
every room is aborted at once and the worker starts again under a new id; until that works it
serves nothing (architecture, section 7, 'Leases').
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from ..core.clock import Clock, DatabaseClock
from ..core.errors import LeaseLost, StateroomError, StoreUnavailable
from ..core.ids import WorkerId
from ..core.ports import LeaseCheck, WorkerLeases
from ..core.tasks import TaskOwner
from ..core.values import LeaseGrant, WorkerIdentity
from .lease import WorkerLease
from .lease_protocol import (
    AbortRooms,
    Begin,
    Bury,
    Errand,
    LeaseProtocol,
    Outcome,
    Register,
    Renew,
    Standing,
    Stop,
    Wait,
)

__all__ = ["Membership", "Standing"]

_log = structlog.get_logger("stateroom.membership")


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
        self._begun = begun
        self._lost = lost
        self._protocol = LeaseProtocol(
            worker_id=identity.worker_id,
            renew_seconds=renew_seconds,
            make_term=lambda: WorkerLease(clock, lease_seconds=lease_seconds),
            new_id=lambda: WorkerId(uuid.uuid4()),
        )
        self._lease = self._protocol.term
        self._tasks = TaskOwner("membership")
        self.marked_draining = False
        """Whether this worker's row said that it drains, at the last answer of the database."""
        self.renewals_failed = 0
        """How many renewals were not answered in time."""
        self.leases_lost = 0
        """How many leases ended without being given up."""

    @property
    def standing(self) -> Standing:
        """Whether this worker may claim rooms."""
        return self._protocol.standing

    @property
    def identity(self) -> WorkerIdentity:
        """Where this worker stands; its id is that of its first life (`worker_id`)."""
        return self._identity

    @property
    def lease_seconds(self) -> float:
        """How long the database keeps the lease after each renewal."""
        return self._lease_seconds

    @property
    def worker_id(self) -> WorkerId:
        """Under which id rooms are claimed now."""
        return self._protocol.worker_id

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
        errand = self._protocol.start(now=self._clock.monotonic())
        while not isinstance(errand, Wait):
            errand = self._answer(await self._carry_out(errand))
        self._tasks.start(self._keep(errand), name="renewals")

    async def leave(self) -> None:
        """Stop claiming, for ever; the lease goes on so that rooms can be given up in order."""
        self._protocol.leave()

    async def close(self) -> None:
        """Stop renewing and mark the worker's row dead, so that nobody waits for its lease."""
        await self._tasks.close()
        if self._protocol.close(now=self._clock.monotonic()):
            try:
                await self._leases.retire(self.worker_id)
            except StoreUnavailable:
                _log.warning("retire_failed", worker=str(self.worker_id))

    async def _keep(self, errand: Errand) -> None:
        """Do errands until none is left."""
        while not isinstance(errand, Stop):
            try:
                outcome = await self._carry_out(errand)
            except StateroomError as error:
                _log.warning("registration_failed", code=error.code)
                outcome = Outcome.FAILED
            errand = self._answer(outcome)

    def _answer(self, outcome: Outcome) -> Errand:
        standing = self.standing
        errand = self._protocol.answer(outcome, now=self._clock.monotonic())
        self._lease = self._protocol.term
        if standing is not self.standing is Standing.LIVE:
            _log.info("worker_live", worker=str(self.worker_id))
        return errand

    async def _carry_out(self, errand: Errand) -> Outcome:
        match errand:
            case Wait():
                await self._clock.sleep(max(errand.until - self._clock.monotonic(), 0.0))
            case Renew():
                return await self._renew(errand)
            case Register():
                await self._register(errand.worker_id)
            case Begin():
                await self._begun(errand.worker_id, self._protocol.coming)
            case Bury():
                await self._leases.bury(
                    node=self._identity.node,
                    slot=self._identity.slot,
                    boot_id=self._identity.boot_id,
                )
            case AbortRooms():
                self.leases_lost += 1
                self._lost(LeaseLost())
            case Stop():
                pass
        return Outcome.DONE

    async def _register(self, worker_id: WorkerId) -> None:
        asked_at = self._clock.monotonic()
        identity = replace(self._identity, worker_id=worker_id)
        grant = await self._leases.register(identity, lease_seconds=self._lease_seconds)
        self._take(grant, asked_at)

    async def _renew(self, errand: Renew) -> Outcome:
        asked_at = self._clock.monotonic()
        try:
            # An answer after the deadline is worth nothing: nobody waits for it.
            async with asyncio.timeout(errand.within_seconds):
                grant = await self._leases.renew(
                    errand.worker_id, lease_seconds=self._lease_seconds
                )
        except (StateroomError, TimeoutError):
            self.renewals_failed += 1
            _log.warning("renewal_failed", margin_seconds=round(self._lease.margin_seconds, 3))
            return Outcome.FAILED
        if grant is None:
            _log.error("lease_ended_by_database", worker=str(errand.worker_id))
            return Outcome.REFUSED
        self._take(grant, asked_at)
        return Outcome.DONE

    def _take(self, grant: LeaseGrant, asked_at: float) -> None:
        self.marked_draining = grant.draining
        self._database_clock.sample(
            database_ms=grant.database_ms, sent=asked_at, received=self._clock.monotonic()
        )
