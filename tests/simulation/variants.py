"""The protocol as it is, and ways to break it that the simulation must notice.

Each variant is a patch of the model or of what the model asks of the real core; the shipped code
knows none of them.
"""

from collections.abc import Callable, Sequence

from app.cluster.lease import LeaseTerm
from app.cluster.lease_protocol import Errand, LeaseProtocol, Outcome
from app.core.ids import WorkerId
from tests.simulation import statements
from tests.simulation.database import (
    PAUSE,
    Batch,
    Commit,
    Execution,
    Lock,
    ObjectRow,
    Statement,
)
from tests.simulation.statements import Claimed, Fence, Make


class Variant:
    """Nothing is broken."""

    settles_by_a_read = False
    speaks_after_its_lease = False
    buries_the_living = False
    buries_by_place = False
    fence = Fence()

    def protocol(self, *, lease: float, new_id: Callable[[], WorkerId]) -> LeaseProtocol[LeaseTerm]:
        """The shipped one."""
        return LeaseProtocol(
            worker_id=new_id(),
            renew_seconds=lease / 3,
            make_term=lambda: LeaseTerm(lease_seconds=lease),
            new_id=new_id,
        )

    def renew(self, worker: int, lease: float) -> Make:
        """See `statements.renew`."""
        return statements.renew(worker, lease)

    def end_expired(self, worker: int) -> Make:
        """See `statements.end_expired`."""
        return statements.end_expired(worker)

    def end_expired_at_place(self, place: tuple[int, int]) -> Make:
        """See `statements.end_expired_at_place`."""
        return statements.end_expired_at_place(place)

    def claim(self, worker: int, object_id: int) -> Make:
        """See `statements.claim`."""
        return statements.claim(worker, object_id)

    def commit(self, worker: int, batches: Sequence[Batch]) -> Make:
        """See `statements.commit`."""
        return statements.commit(worker, batches, self.fence)


class FenceRemoved(Variant):
    """A commit writes whatever it is told."""

    class _Open(Fence):
        waits = True

        def admits(self, row: ObjectRow | None, worker: int, batch: Batch) -> bool:
            return row is not None

    fence = _Open()


class FenceBySelect(Variant):
    """Epoch, worker and number are looked at, and the row is locked only afterwards."""

    class _Looking(Fence):
        waits = True

    fence = _Looking()


class NoCommitNumber(Variant):
    """A commit proves its epoch and its worker, and not the number it expects."""

    class _Numberless(Fence):
        def admits(self, row: ObjectRow | None, worker: int, batch: Batch) -> bool:
            return row is not None and (row.worker, row.epoch) == (worker, batch.epoch)

    fence = _Numberless()


class SettlesByARead(Variant):
    """After a lost answer, what a read shows is believed."""

    settles_by_a_read = True


class RenewalRevives(Variant):
    """A renewal asks neither for the state nor for the time."""

    def renew(self, worker: int, lease: float) -> Make:
        def make(execution: Execution) -> Statement:
            database = execution.database
            if worker not in database.tables.workers:
                return False
            yield PAUSE
            yield Lock(("worker", worker))
            row = database.tables.workers[worker]
            extended = row._replace(expires=database.clock() + lease)
            yield Commit([(("worker", worker), extended)])
            return True

        return make


class LoadsInTheClaim(Variant):
    """One statement claims and reads: it waits for the row and reads what was there before."""

    def claim(self, worker: int, object_id: int) -> Make:
        def make(execution: Execution) -> Statement:
            database = execution.database
            tables = database.tables
            me = tables.workers.get(worker)
            live = me is not None and not me.dead and me.expires > database.clock()
            seen = tables.objects.get(object_id)
            if seen is None or not live:
                return (yield from statements.claim(worker, object_id)(execution))
            holder = tables.workers.get(seen.worker) if seen.worker is not None else None
            if holder and not holder.dead and seen.worker != worker:
                return (yield from statements.claim(worker, object_id)(execution))
            yield PAUSE
            yield Lock(("object", object_id))
            newest = database.tables.objects.get(object_id)
            if newest is None or newest.worker != seen.worker:
                return (yield from statements.claim(worker, object_id)(execution))
            taken = newest._replace(worker=worker, epoch=database.next_epoch())
            yield Commit([(("object", object_id), taken)])
            claimed = Claimed(taken.epoch, taken.seq, live, held=False, expired=True, holder=None)
            return claimed, dict(seen.rows)

        return make


class SpeaksAfterItsLease(Variant):
    """An output leaves as soon as its writes are committed, whatever the time."""

    speaks_after_its_lease = True


class BuriesTheLiving(Variant):
    """The supervisor takes a silent worker for dead and does not kill it."""

    buries_the_living = True


class BuriesByPlace(Variant):
    """A burial names a place: a late copy of it finds the next life there."""

    buries_by_place = True


class NoMargin(Variant):
    """The worker trusts its lease for as long as the database counts it by another clock."""

    def protocol(self, *, lease: float, new_id: Callable[[], WorkerId]) -> LeaseProtocol[LeaseTerm]:
        return LeaseProtocol(
            worker_id=new_id(),
            renew_seconds=lease / 3,
            make_term=lambda: LeaseTerm(lease_seconds=lease / 0.9),
            new_id=new_id,
        )


class CountsFromTheAnswer(Variant):
    """The worker's lease begins when it hears of it."""

    class _Late(LeaseProtocol[LeaseTerm]):
        def answer(self, outcome: Outcome, *, now: float) -> Errand:
            self._asked_at = now
            return super().answer(outcome, now=now)

    def protocol(self, *, lease: float, new_id: Callable[[], WorkerId]) -> LeaseProtocol[LeaseTerm]:
        return self._Late(
            worker_id=new_id(),
            renew_seconds=lease / 3,
            make_term=lambda: LeaseTerm(lease_seconds=lease),
            new_id=new_id,
        )


class NobodyEndsALease(Variant):
    """A lease that ran out is never marked: safe, and whoever held it blocks its objects."""

    def end_expired(self, worker: int) -> Make:
        return statements.state([])

    def end_expired_at_place(self, place: tuple[int, int]) -> Make:
        return statements.state([])


BROKEN: dict[str, Callable[[], Variant]] = {
    "fence-removed": FenceRemoved,
    "fence-by-select": FenceBySelect,
    "no-commit-number": NoCommitNumber,
    "settles-by-a-read": SettlesByARead,
    "renewal-revives": RenewalRevives,
    "loads-in-the-claim": LoadsInTheClaim,
    "speaks-after-its-lease": SpeaksAfterItsLease,
    "buries-the-living": BuriesTheLiving,
    "buries-by-place": BuriesByPlace,
    "no-margin": NoMargin,
    "nobody-ends-a-lease": NobodyEndsALease,
    "counts-from-the-answer": CountsFromTheAnswer,
}
