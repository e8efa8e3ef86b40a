"""A worker that lost its lease comes back as somebody new, whatever goes wrong on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from app.cluster.membership import Membership, Standing
from app.core.clock import DatabaseClock, SystemClock
from app.core.errors import StateroomError, StorageRefused, StoreUnavailable
from app.core.ids import WorkerId
from app.core.ports import LeaseCheck
from app.core.values import LeaseGrant, WorkerIdentity
from app.store.database import Database
from app.store.leases import PostgresWorkerLeases
from app.testing.clock import FakeClock

LEASE_SECONDS = 3.0
DEADLINE_SECONDS = 10.0


class Trouble:
    """The errors that the next registrations, or renewals, meet."""

    def __init__(self) -> None:
        self.begun: list[StateroomError] = []
        self.renewed: list[StateroomError] = []
        self.lost = 0
        self.lives: list[WorkerId] = []


class TroubledLeases(PostgresWorkerLeases):
    """The real ones; a renewal may meet trouble."""

    trouble: Trouble

    async def renew(self, worker_id: WorkerId, *, lease_seconds: float) -> LeaseGrant | None:
        if self.trouble.renewed:
            raise self.trouble.renewed.pop()
        return await super().renew(worker_id, lease_seconds=lease_seconds)


@asynccontextmanager
async def member(
    database: Database, clock: FakeClock, trouble: Trouble
) -> AsyncIterator[Membership]:
    leases = TroubledLeases(database)
    leases.trouble = trouble

    async def begun(worker_id: WorkerId, lease: LeaseCheck) -> None:
        assert lease.holds()
        if trouble.begun:
            raise trouble.begun.pop()
        trouble.lives.append(worker_id)

    def lost(_error: StateroomError) -> None:
        trouble.lost += 1

    membership = Membership(
        leases=leases,
        clock=clock,
        database_clock=DatabaseClock(clock),
        identity=WorkerIdentity(
            worker_id=WorkerId(uuid4()),
            node="node",
            slot=0,
            boot_id="boot",
            address="",
            version="0",
        ),
        lease_seconds=LEASE_SECONDS,
        renew_seconds=1.0,
        begun=begun,
        lost=lost,
    )
    await membership.start()
    try:
        yield membership
    finally:
        await membership.close()


async def until(clock: FakeClock, reached: Callable[[], bool], *, step: float) -> None:
    """Let time pass in steps until something is so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not reached():
            clock.advance(step)
            await SystemClock().sleep(0.005)


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_registration_that_fails_half_way_is_made_again_under_another_id(
    database: Database, failures: int
) -> None:
    clock, trouble = FakeClock(), Trouble()
    async with member(database, clock, trouble) as membership:
        first = membership.worker_id
        trouble.begun = [StoreUnavailable() for _ in range(failures)]
        clock.advance(10 * LEASE_SECONDS)
        assert not membership.holds()
        await until(clock, lambda: len(trouble.lives) == 2, step=0.1)
        assert membership.standing is Standing.LIVE
        assert membership.holds()
        assert membership.worker_id not in (first, trouble.lives[0])
        assert membership.worker_id == trouble.lives[1]
        assert trouble.lost == 1


async def test_a_renewal_that_the_database_refuses_for_whatever_reason_is_tried_again(
    database: Database,
) -> None:
    clock, trouble = FakeClock(), Trouble()
    async with member(database, clock, trouble) as membership:
        trouble.renewed = [StorageRefused("an internal error of the database")]
        await until(clock, lambda: not trouble.renewed, step=0.1)
        margin = membership.margin_seconds
        await until(clock, lambda: membership.margin_seconds > margin, step=0.1)
        assert trouble.lost == 0


async def test_a_worker_that_was_found_dead_throws_its_rooms_away_and_comes_back(
    database: Database,
) -> None:
    clock, trouble = FakeClock(), Trouble()
    async with member(database, clock, trouble) as membership:
        first = membership.worker_id
        await PostgresWorkerLeases(database).retire(first)
        await until(clock, lambda: len(trouble.lives) == 2, step=0.1)
        assert trouble.lost == 1
        assert membership.worker_id != first
        assert membership.holds()


async def test_a_worker_that_loses_its_lease_while_it_leaves_stays_away(
    database: Database,
) -> None:
    clock, trouble = FakeClock(), Trouble()
    async with member(database, clock, trouble) as membership:
        await membership.leave()
        clock.advance(10 * LEASE_SECONDS)
        await until(clock, lambda: trouble.lost > 0, step=0.1)
        assert membership.standing is Standing.LEAVING
        assert not membership.holds()
        assert len(trouble.lives) == 1
