"""The lease protocol, errand by errand, without a clock, a database or a task."""

import random
import uuid
from itertools import count

import pytest

from app.cluster.lease import LeaseTerm
from app.cluster.lease_protocol import (
    TRANSITIONS,
    AbortRooms,
    Begin,
    Bury,
    Errand,
    IllegalTransition,
    LeaseProtocol,
    Outcome,
    Phase,
    Register,
    Renew,
    Standing,
    Stop,
    Wait,
)
from app.core.ids import WorkerId

LEASE = 10.0
RENEW = 3.0
DONE, REFUSED, FAILED = Outcome.DONE, Outcome.REFUSED, Outcome.FAILED


def protocol() -> LeaseProtocol[LeaseTerm]:
    numbers = count(1)

    def new_id() -> WorkerId:
        return WorkerId(uuid.UUID(int=next(numbers)))

    return LeaseProtocol(
        worker_id=new_id(),
        renew_seconds=RENEW,
        make_term=lambda: LeaseTerm(lease_seconds=LEASE),
        new_id=new_id,
    )


def live() -> LeaseProtocol[LeaseTerm]:
    worker = protocol()
    worker.start(now=0.0)
    worker.answer(DONE, now=0.0)
    worker.answer(DONE, now=0.0)
    return worker


def test_it_registers_begins_and_waits_for_the_first_renewal() -> None:
    worker = protocol()
    assert worker.start(now=5.0) == Register(worker_id=worker.worker_id)
    assert worker.answer(DONE, now=6.0) == Begin(worker_id=worker.worker_id)
    assert worker.coming.holds_at(6.0)
    assert not worker.term.holds_at(6.0), "before it has begun nothing holds"
    assert worker.answer(DONE, now=7.0) == Wait(until=10.0)
    assert worker.standing is Standing.LIVE
    assert worker.term.deadline == 5.0 + 9.0


def test_a_renewal_may_take_as_long_as_the_lease_holds_and_counts_from_before_it_was_asked() -> (
    None
):
    worker = live()
    errand = worker.answer(DONE, now=3.0)
    assert errand == Renew(worker_id=worker.worker_id, within_seconds=6.0)
    assert worker.answer(DONE, now=8.5) == Wait(until=11.5)
    assert worker.term.deadline == 3.0 + 9.0


def test_the_wait_never_reaches_past_the_deadline() -> None:
    worker = live()
    worker.answer(DONE, now=3.0)
    errand = worker.answer(FAILED, now=8.8)
    assert isinstance(errand, Wait)
    assert errand.until == pytest.approx(9.0)


def test_a_failed_renewal_is_tried_again_sooner_than_the_next_one_would_come() -> None:
    worker = live()
    worker.answer(DONE, now=3.0)
    assert worker.answer(FAILED, now=4.0) == Wait(until=4.75)


@pytest.mark.parametrize(("outcome", "now"), [(REFUSED, 4.0), (DONE, 9.0), (FAILED, 9.0)])
def test_a_lost_lease_aborts_the_rooms_and_then_comes_back_as_somebody_new(
    outcome: Outcome, now: float
) -> None:
    worker = live()
    first = worker.worker_id
    worker.answer(DONE, now=3.0)
    assert worker.answer(outcome, now=now) == AbortRooms()
    assert worker.worker_id == first
    assert not worker.term.holds_at(now)
    assert worker.answer(DONE, now=now) == Bury()
    assert worker.standing is Standing.OUTSIDE
    assert worker.worker_id != first
    assert worker.answer(DONE, now=now) == Register(worker_id=worker.worker_id)


def test_a_wait_that_took_too_long_is_a_lost_lease() -> None:
    assert live().answer(DONE, now=9.0) == AbortRooms()


def test_every_try_to_come_back_has_an_id_of_its_own() -> None:
    worker = live()
    ids = {worker.worker_id}
    worker.answer(DONE, now=9.0)
    worker.answer(DONE, now=9.0)
    for failure in (FAILED, REFUSED, FAILED):
        ids.add(worker.worker_id)
        assert worker.answer(failure, now=20.0) == Wait(until=20.75)
        assert worker.answer(DONE, now=20.75) == Bury()
    assert len(ids) == 4


@pytest.mark.parametrize("standing", [Phase.REGISTERING, Phase.BEGINNING])
def test_a_life_that_cannot_begin_is_waited_out(standing: Phase) -> None:
    worker = protocol()
    worker.start(now=0.0)
    if standing is Phase.BEGINNING:
        worker.answer(DONE, now=0.0)
    assert worker.answer(FAILED, now=1.0) == Wait(until=1.75)
    assert worker.standing is Standing.OUTSIDE


def test_a_registration_that_is_answered_too_late_begins_nothing() -> None:
    worker = protocol()
    worker.start(now=0.0)
    assert worker.answer(DONE, now=9.0) == Wait(until=9.75)
    assert not worker.coming.holds_at(9.0)


def test_a_leaving_worker_renews_and_does_not_come_back() -> None:
    worker = live()
    worker.leave()
    assert isinstance(worker.answer(DONE, now=3.0), Renew)
    worker.answer(DONE, now=3.0)
    assert worker.answer(DONE, now=13.0) == AbortRooms()
    assert worker.answer(DONE, now=13.0) == Stop()
    assert worker.standing is Standing.LEAVING


def test_closing_says_whether_there_is_a_row_to_retire_and_ends_the_lease() -> None:
    worker = live()
    term = worker.term
    assert worker.close(now=1.0)
    assert not term.holds_at(1.0)
    assert not worker.close(now=1.0)
    assert worker.answer(DONE, now=1.0) == Stop()
    assert not live().close(now=9.0), "too late"


def test_a_second_start_is_a_fault_of_ours() -> None:
    worker = live()
    with pytest.raises(IllegalTransition, match="from HOLDING to REGISTERING"):
        worker.start(now=1.0)


def test_every_phase_can_be_reached_and_all_but_the_last_can_be_left() -> None:
    reached = {Phase.NEW}.union(*TRANSITIONS.values())
    assert reached == set(Phase) == set(TRANSITIONS)
    assert [phase for phase, after in TRANSITIONS.items() if not after] == [Phase.OVER]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_table_is_kept_and_an_ended_term_stays_ended(seed: int) -> None:
    chance = random.Random(seed)
    worker, now, ended = protocol(), 0.0, set[LeaseTerm]()
    errand: Errand = worker.start(now=now)
    for _ in range(500):
        outcome = chance.choice([DONE, DONE, DONE, REFUSED, FAILED])
        if isinstance(errand, Stop):
            break
        now += chance.choice([0.0, 0.1, RENEW, LEASE])
        errand = worker.answer(outcome, now=now)
        if not worker.term.holds_at(now):
            ended.add(worker.term)
        assert not any(term.holds_at(0.0) for term in ended)
        if chance.random() < 0.002:
            worker.leave()
