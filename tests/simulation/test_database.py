"""The model of Postgres behaves as Postgres does where the protocol leans on it."""

from typing import Any

import pytest

from tests.simulation import statements
from tests.simulation.database import Batch, Database, ObjectRow, WorkerRow
from tests.simulation.statements import Claimed, Make
from tests.simulation.swarm import CALM, Swarm
from tests.simulation.world import World

PLACE = (0, 0)
BOOT = 1
LEASE = 3.0


class Bench:
    """A database with one live worker (1) that holds an object (5) under epoch 1."""

    def __init__(self) -> None:
        self.world = World(0)
        self.database = Database(self.world)
        self.ask(statements.register(1, PLACE, BOOT, LEASE))
        self.ask(statements.claim(1, 5))

    def ask(self, make: Make) -> list[Any]:
        """Run a statement; the list holds its end as soon as it has one."""
        ends: list[Any] = []

        def reply(came: bool, answer: Any) -> None:
            ends.append(answer if came else "broken")

        self.database.arrive(make, reply)
        return ends

    def write(self, number: int, *, epoch: int = 1) -> list[Any]:
        batch = Batch(5, epoch, number, ((100 + number, 0, None),))
        return self.ask(statements.commit(1, [batch]))

    def stall_standby(self, seconds: float) -> None:
        self.database.standby_is_slow = self.world.now + seconds

    def let_pass(self, seconds: float) -> None:
        self.world.after(seconds, lambda: None)
        end = self.world.now + seconds
        while self.world.now < end:
            self.world.step()

    @property
    def row(self) -> ObjectRow:
        return self.database.tables.objects[5]

    @property
    def worker(self) -> WorkerRow:
        return self.database.tables.workers[1]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_commit_proves_worker_epoch_and_number(bench: Bench) -> None:
    assert bench.row == ObjectRow(1, 1, 0, {})
    assert bench.write(0) == [{5}]
    assert bench.write(0) == [set()]
    assert bench.write(1, epoch=2) == [set()]
    assert bench.row == ObjectRow(1, 1, 1, {0: 100})


def test_a_commit_is_invisible_and_locked_until_the_standby_has_it(bench: Bench) -> None:
    bench.stall_standby(1.0)
    committing = bench.write(0)
    assert committing == []
    assert bench.row.seq == 0
    assert bench.write(0) == [set()], "the row is locked: skipped"
    bench.let_pass(1.1)
    assert committing == [{5}]
    assert bench.row.seq == 1


def test_a_wait_for_the_standby_that_is_broken_off_shows_what_a_failover_loses(
    bench: Bench,
) -> None:
    bench.stall_standby(1.0)
    committing = bench.write(0)
    (execution,) = bench.database.holders.values()
    bench.database._break_wait(execution)
    assert committing == ["broken"]
    assert bench.row.seq == 1
    bench.database.fail_over(0.0)
    assert bench.row.seq == 0


def test_a_restart_shows_what_is_in_the_log_and_forgets_the_locks(bench: Bench) -> None:
    bench.stall_standby(1.0)
    committing = bench.write(0)
    bench.database.restart()
    assert committing == ["broken"]
    assert bench.row.seq == 1
    assert bench.database.holders == {}


def test_a_claim_skips_a_locked_row(bench: Bench) -> None:
    bench.ask(statements.retire(1))
    bench.ask(statements.register(2, (1, 0), BOOT, LEASE))
    bench.stall_standby(1.0)
    committing = bench.write(0)
    (claimed,) = bench.ask(statements.claim(2, 5))
    assert isinstance(claimed, Claimed)
    assert (claimed.epoch, claimed.held) == (None, False)
    bench.let_pass(1.1)
    assert committing == [{5}], "the fence asks who owns the object, not who lives"
    (claimed,) = bench.ask(statements.claim(2, 5))
    assert (claimed.epoch, claimed.seq) == (2, 1)


def test_an_object_of_a_live_worker_is_held_and_one_of_a_dead_worker_is_not(bench: Bench) -> None:
    bench.ask(statements.register(2, (1, 0), BOOT, LEASE))
    (refused,) = bench.ask(statements.claim(2, 5))
    assert (refused.epoch, refused.held, refused.expired, refused.holder) == (None, True, False, 1)
    bench.ask(statements.retire(1))
    (claimed,) = bench.ask(statements.claim(2, 5))
    assert claimed.epoch is not None
    assert claimed.epoch > 1


def test_a_statement_that_waited_sees_the_newest_version_and_the_time_after_the_wait(
    bench: Bench,
) -> None:
    bench.stall_standby(LEASE / 2)
    extending = bench.ask(statements.renew(1, LEASE))
    retiring = bench.ask(statements.retire(1))
    late = bench.ask(statements.renew(1, LEASE))
    bench.let_pass(LEASE)
    assert (extending, retiring, late) == ([True], [1], [False])
    assert bench.worker.dead


def test_a_lease_that_ran_out_is_not_renewed_and_can_be_ended(bench: Bench) -> None:
    assert bench.ask(statements.end_expired(1)) == [0]
    bench.let_pass(LEASE)
    assert bench.ask(statements.renew(1, LEASE)) == [False]
    assert bench.ask(statements.register(1, PLACE, BOOT, LEASE)) == [False]
    assert bench.ask(statements.end_expired(1)) == [1]


def test_the_place_of_a_live_worker_is_taken_until_it_is_buried(bench: Bench) -> None:
    assert bench.ask(statements.register(2, PLACE, BOOT, LEASE)) == [False]
    assert bench.ask(statements.lives(PLACE, BOOT + 1)) == [[]]
    (lives,) = bench.ask(statements.lives(PLACE, BOOT))
    assert bench.ask(statements.bury(lives)) == [1]
    assert bench.ask(statements.register(2, PLACE, BOOT, LEASE)) == [True]
    assert bench.ask(statements.bury(lives)) == [0]


def test_an_object_that_stores_nothing_leaves_no_row_behind(bench: Bench) -> None:
    bench.ask(statements.release(1, 5, 1))
    assert 5 not in bench.database.tables.objects
    bench.ask(statements.claim(1, 5))
    assert bench.row.epoch > 1
    bench.ask(statements.commit(1, [Batch(5, bench.row.epoch, 0, ())]))
    bench.ask(statements.release(1, 5, bench.row.epoch))
    assert 5 not in bench.database.tables.objects
    bench.ask(statements.claim(1, 5))
    bench.ask(statements.commit(1, [Batch(5, bench.row.epoch, 0, ((1, 2, 3),))]))
    bench.ask(statements.release(1, 5, bench.row.epoch))
    assert bench.row.worker is None


def test_a_load_proves_epoch_and_number(bench: Bench) -> None:
    bench.write(0)
    assert bench.ask(statements.load(5, 1, 1)) == [{0: 100}]
    assert bench.ask(statements.load(5, 1, 0)) == [None]
    assert bench.ask(statements.load(5, 2, 1)) == [None]
    (state,) = bench.ask(statements.state([5, 6]))
    assert state == {5: bench.row}


def test_swarms_differ_and_the_first_one_leaves_nothing_out() -> None:
    world = World(1)
    full = Swarm.draw(world.chance, all_of_them=True)
    other = Swarm.draw(world.chance, all_of_them=False)
    assert all(full.rates.values())
    assert all(full.odds.values())
    assert full != other
    assert not any(CALM.odds.values())
