"""This worker's standing: renewals, losses, new lives."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from app.cluster.membership import Membership, Standing
from app.core.clock import DatabaseClock
from app.core.errors import LeaseLost, StateroomError, StoreUnavailable, WorkerSlotTaken
from app.core.ids import WorkerId
from app.core.ports import LeaseCheck
from app.core.values import LeaseGrant, WorkerIdentity
from app.testing.clock import FakeClock
from app.testing.memory import MemoryDatabase, MemoryWorkerLeases

_LEASE_SECONDS = 3.0


def _identity(node: str = "node", boot_id: str = "boot") -> WorkerIdentity:
    return WorkerIdentity(
        worker_id=WorkerId(uuid.uuid4()),
        node=node,
        slot=0,
        boot_id=boot_id,
        address="",
        version="test",
    )


class SlowLeases(MemoryWorkerLeases):
    """The twin, with a renewal or registration that a test may hold back."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.held: asyncio.Future[None] | None = None

    def hold(self) -> "asyncio.Future[None]":
        self.held = asyncio.get_running_loop().create_future()
        return self.held

    async def renew(self, worker_id: WorkerId, *, lease_seconds: float) -> LeaseGrant | None:
        grant = await super().renew(worker_id, lease_seconds=lease_seconds)
        if self.held is not None:
            await self.held
        return grant

    async def register(self, identity: WorkerIdentity, *, lease_seconds: float) -> LeaseGrant:
        grant = await super().register(identity, lease_seconds=lease_seconds)
        if self.held is not None:
            await self.held
        return grant


class Bench:
    """A membership on the twins; what it was told and what it told."""

    def __init__(self, *, lease_seconds: float = _LEASE_SECONDS) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.leases = SlowLeases(self.database)
        self.database_clock = DatabaseClock(self.clock)
        self.lives: list[WorkerId] = []
        self.losses: list[StateroomError] = []
        self.fail_begun: StateroomError | None = None
        self.membership = self.make(_identity(), lease_seconds)

    def make(self, identity: WorkerIdentity, lease_seconds: float = _LEASE_SECONDS) -> Membership:
        return Membership(
            leases=self.leases,
            clock=self.clock,
            database_clock=self.database_clock,
            identity=identity,
            lease_seconds=lease_seconds,
            renew_seconds=lease_seconds / 3,
            begun=self._begun,
            lost=self.losses.append,
        )

    async def _begun(self, worker_id: WorkerId, lease: LeaseCheck) -> None:
        assert lease.holds()
        if self.fail_begun is not None:
            raise self.fail_begun
        self.lives.append(worker_id)

    async def advance(self, seconds: float, *, step: float = 0.1) -> None:
        left = seconds
        while left > 1e-9:
            self.clock.advance(min(step, left))
            left -= step
            await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future

    def standing(self) -> Standing:
        return self.membership.standing

    def holds(self) -> bool:
        return self.membership.holds()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.membership.close()


async def test_a_worker_registers_samples_the_clock_and_is_live(bench: Bench) -> None:
    assert bench.standing() is Standing.OUTSIDE
    assert not bench.holds()
    await bench.membership.start()
    assert bench.standing() is Standing.LIVE
    assert bench.holds()
    assert bench.lives == [bench.membership.worker_id]
    assert bench.database_clock.now_ms() == bench.database.now_ms()


async def test_renewals_keep_the_lease_for_as_long_as_it_runs(bench: Bench) -> None:
    await bench.membership.start()
    await bench.advance(60.0, step=0.5)
    assert bench.holds()
    assert bench.membership.margin_seconds > 0.0
    assert bench.losses == []
    assert len(bench.lives) == 1


async def test_a_database_that_is_away_for_a_moment_is_not_noticed(bench: Bench) -> None:
    await bench.membership.start()
    bench.database.away = True
    await bench.advance(2.0)
    assert bench.holds()
    bench.database.away = False
    await bench.advance(5.0)
    assert bench.losses == []
    assert len(bench.lives) == 1


async def test_when_the_database_stays_away_the_rooms_go_once_and_a_new_life_follows(
    bench: Bench,
) -> None:
    await bench.membership.start()
    first = bench.membership.worker_id
    bench.database.away = True
    await bench.advance(10.0)
    assert not bench.holds()
    assert bench.standing() is Standing.OUTSIDE
    assert [type(error) for error in bench.losses] == [LeaseLost]
    bench.database.away = False
    await bench.advance(2.0)
    assert bench.standing() is Standing.LIVE
    assert bench.holds()
    assert bench.membership.worker_id != first
    assert bench.lives == [first, bench.membership.worker_id]
    assert bench.database.workers[first].dead


async def test_when_the_database_says_no_the_lease_is_over_at_once(bench: Bench) -> None:
    await bench.membership.start()
    first = bench.membership.worker_id
    bench.database.workers[first].dead = True
    await bench.advance(1.1)
    assert [type(error) for error in bench.losses] == [LeaseLost]
    assert bench.membership.worker_id != first
    assert bench.standing() is Standing.LIVE


async def test_a_worker_that_was_stopped_past_its_lease_says_nothing_even_before_it_looks(
    bench: Bench,
) -> None:
    await bench.membership.start()
    bench.clock.advance(100.0)
    assert not bench.holds()
    await bench.advance(1.0)
    assert len(bench.losses) == 1
    assert bench.holds()


async def test_a_grant_that_comes_after_the_deadline_does_not_revive_the_lease(
    bench: Bench,
) -> None:
    await bench.membership.start()
    first = bench.membership.worker_id
    answer = bench.leases.hold()
    bench.clock.advance(1.0)
    await bench.settle()
    bench.clock.advance(2.0)
    assert not bench.holds()
    bench.leases.held = None
    answer.set_result(None)
    await bench.advance(2.0)
    assert bench.membership.worker_id != first
    assert len(bench.losses) == 1


async def test_an_answer_that_never_comes_is_not_waited_for_past_the_margin() -> None:
    bench = Bench(lease_seconds=0.01)
    await bench.membership.start()
    answer = bench.leases.hold()
    await bench.settle()
    bench.clock.advance(0.004)
    async with asyncio.timeout(10):
        while not answer.cancelled():
            await bench.settle()
    bench.leases.held = None
    bench.clock.advance(0.004)
    await bench.settle()
    assert bench.holds(), "the next try was in time"
    assert bench.losses == []
    await bench.membership.close()


async def test_a_registration_that_took_too_long_is_made_again(bench: Bench) -> None:
    answer = bench.leases.hold()
    starting = asyncio.ensure_future(bench.membership.start())  # noqa: TID251 - the test owns it
    await bench.settle()
    bench.clock.advance(5.0)
    bench.leases.held = None
    answer.set_result(None)
    await starting
    assert bench.standing() is Standing.OUTSIDE
    assert bench.lives == []
    await bench.advance(2.0)
    assert bench.standing() is Standing.LIVE
    assert bench.losses == [], "there was nothing to lose"


async def test_a_life_that_cannot_begin_is_tried_again_under_another_id(bench: Bench) -> None:
    await bench.membership.start()
    bench.database.away = True
    await bench.advance(5.0)
    bench.database.away = False
    bench.fail_begun = StoreUnavailable()
    await bench.advance(3.0)
    assert bench.standing() is Standing.OUTSIDE
    assert not bench.holds()
    bench.fail_begun = None
    await bench.advance(2.0)
    assert bench.standing() is Standing.LIVE
    live = [each for each, worker in bench.database.workers.items() if not worker.dead]
    assert live == [bench.membership.worker_id]


async def test_a_slot_that_another_living_worker_has_is_refused(bench: Bench) -> None:
    await bench.membership.start()
    other = bench.make(_identity(boot_id="another boot"))
    with pytest.raises(WorkerSlotTaken):
        await other.start()
    assert other.standing is Standing.OUTSIDE


async def test_a_first_start_without_a_database_fails(bench: Bench) -> None:
    bench.database.away = True
    with pytest.raises(StoreUnavailable):
        await bench.membership.start()


async def test_a_leaving_worker_keeps_its_lease_and_does_not_come_back_when_it_is_lost(
    bench: Bench,
) -> None:
    await bench.membership.start()
    await bench.membership.leave()
    await bench.advance(10.0)
    assert bench.standing() is Standing.LEAVING
    assert bench.holds()
    bench.database.away = True
    await bench.advance(10.0)
    bench.database.away = False
    await bench.advance(10.0)
    assert bench.standing() is Standing.LEAVING
    assert not bench.holds()
    assert len(bench.losses) == 1
    assert len(bench.lives) == 1


async def test_a_worker_that_leaves_between_two_lives_does_not_come_back(bench: Bench) -> None:
    await bench.membership.start()
    bench.database.away = True
    await bench.advance(5.0)
    await bench.membership.leave()
    bench.database.away = False
    await bench.advance(5.0)
    assert bench.standing() is Standing.LEAVING
    assert len(bench.lives) == 1


async def test_a_worker_that_leaves_while_it_registers_claims_nothing(bench: Bench) -> None:
    answer = bench.leases.hold()
    starting = asyncio.ensure_future(bench.membership.start())  # noqa: TID251 - the test owns it
    await bench.settle()
    await bench.membership.leave()
    answer.set_result(None)
    await starting
    assert bench.standing() is Standing.LEAVING
    assert bench.holds()


async def test_closing_marks_the_worker_dead_so_that_nobody_waits_for_its_lease(
    bench: Bench,
) -> None:
    await bench.membership.start()
    await bench.membership.close()
    assert bench.database.workers[bench.membership.worker_id].dead
    assert not bench.holds()
    assert bench.standing() is Standing.OUTSIDE


async def test_closing_without_a_database_leaves_the_lease_to_run_out(bench: Bench) -> None:
    await bench.membership.start()
    bench.database.away = True
    await bench.membership.close()
    bench.database.away = False
    assert not bench.database.workers[bench.membership.worker_id].dead


async def test_closing_a_lost_lease_says_nothing_to_the_database(bench: Bench) -> None:
    await bench.membership.start()
    bench.clock.advance(10.0)
    await bench.membership.close()
    assert not bench.database.workers[bench.membership.worker_id].dead
