"""The statements of app/store/leases.py, storage.py and commit_statement.py, step by step.

What stands before the first pause is what the statement's snapshot shows; what stands after a
lock is tested on the row's newest version, as Postgres does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.simulation.database import (
    PAUSE,
    Batch,
    Change,
    Commit,
    Execution,
    Lock,
    ObjectRow,
    Statement,
    WorkerRow,
)

Make = Callable[[Execution], Statement]


class Claimed(NamedTuple):
    """What CLAIM answers; no epoch: it took nothing."""

    epoch: int | None
    seq: int
    live: bool
    held: bool
    expired: bool
    holder: int | None


def _mark_dead(
    execution: Execution, workers: Sequence[int], condition: Callable[[WorkerRow], bool]
) -> Statement:
    """Update worker set state = 'dead' where ...: the condition is tested under the lock again."""
    database = execution.database
    seen = [key for key in workers if (row := database.tables.workers.get(key)) and condition(row)]
    yield PAUSE
    changes: list[Change] = []
    for key in seen:
        yield Lock(("worker", key))
        row = database.tables.workers.get(key)
        if row is not None and condition(row):
            changes.append((("worker", key), row._replace(dead=True)))
    if changes:
        yield Commit(changes)
    return len(changes)


def _at(execution: Execution, place: tuple[int, int]) -> list[int]:
    rows = execution.database.tables.workers
    return [key for key, row in rows.items() if row.place == place and not row.dead]


def end_expired(worker: int) -> Make:
    """END_EXPIRED_LEASE."""

    def make(execution: Execution) -> Statement:
        clock = execution.database.clock
        return _mark_dead(execution, [worker], lambda row: not row.dead and row.expires <= clock())

    return make


def end_expired_at_place(place: tuple[int, int]) -> Make:
    """The first statement of a registration."""

    def make(execution: Execution) -> Statement:
        clock = execution.database.clock
        return _mark_dead(
            execution,
            _at(execution, place),
            lambda row: not row.dead and row.expires <= clock(),
        )

    return make


def register(worker: int, place: tuple[int, int], boot: int, lease: float) -> Make:
    """REGISTER; answers whether the row is there."""

    def make(execution: Execution) -> Statement:
        database = execution.database
        yield PAUSE
        yield Lock(("place", place))  # an insertion in progress is waited for
        present = _at(execution, place)
        if not present:
            if worker in database.tables.workers:
                return False  # the primary key: what is dead stays dead
            row = WorkerRow(place, boot, dead=False, expires=database.clock() + lease)
            yield Commit([(("worker", worker), row)])
            return True
        if present != [worker]:
            return False
        yield Lock(("worker", worker))
        mine = database.tables.workers[worker]
        if mine.dead or mine.draining or mine.expires <= database.clock():
            return False
        row = mine._replace(expires=database.clock() + lease)
        yield Commit([(("worker", worker), row)])
        return True

    return make


def renew(worker: int, lease: float) -> Make:
    """RENEW; answers whether the lease goes on."""

    def make(execution: Execution) -> Statement:
        database = execution.database
        if worker not in database.tables.workers:
            return False
        yield PAUSE
        yield Lock(("worker", worker))
        row = database.tables.workers[worker]
        if row.dead or row.expires <= database.clock():
            return False
        extended = row._replace(expires=database.clock() + lease)
        yield Commit([(("worker", worker), extended)])
        return True

    return make


def set_draining(worker: int) -> Make:
    """SET_STATE: the worker keeps its lease and what it holds, and claims nothing."""

    def make(execution: Execution) -> Statement:
        database = execution.database
        if worker not in database.tables.workers:
            return False
        yield PAUSE
        yield Lock(("worker", worker))
        row = database.tables.workers[worker]
        if row.dead or row.expires <= database.clock():
            return False
        yield Commit([(("worker", worker), row._replace(draining=True))])
        return True

    return make


def retire(worker: int) -> Make:
    """RETIRE."""

    def make(execution: Execution) -> Statement:
        return _mark_dead(execution, [worker], lambda row: not row.dead)

    return make


def lives(place: tuple[int, int], boot: int) -> Make:
    """The first statement of a burial: who is to be buried."""

    def make(execution: Execution) -> Statement:
        rows = execution.database.tables.workers
        found = [key for key in _at(execution, place) if rows[key].boot == boot]
        yield PAUSE
        return found

    return make


def bury(workers: Sequence[int]) -> Make:
    """BURY: these lives and no others, however late it arrives."""

    def make(execution: Execution) -> Statement:
        return _mark_dead(execution, workers, lambda row: not row.dead)

    return make


def bury_place(place: tuple[int, int], boot: int) -> Make:
    """A burial in one statement, of whoever stands there when it arrives."""

    def make(execution: Execution) -> Statement:
        def mine(row: WorkerRow) -> bool:
            return (row.place, row.boot) == (place, boot) and not row.dead

        return _mark_dead(execution, _at(execution, place), mine)

    return make


def claim(worker: int, object_id: int) -> Make:
    """CLAIM."""

    def make(execution: Execution) -> Statement:
        database = execution.database
        tables = database.tables
        me = tables.workers.get(worker)
        seen = tables.objects.get(object_id)
        alive = me is not None and not me.dead and me.expires > database.clock()
        live = alive and me is not None and not me.draining
        holder = tables.workers.get(seen.worker) if seen and seen.worker is not None else None
        held = bool(seen and seen.worker != worker and holder and not holder.dead)
        expired = holder is None or holder.expires <= database.clock()
        yield PAUSE
        taken: ObjectRow | None = None
        if live and seen is not None and not held:
            if execution.try_lock(("object", object_id)):
                newest = database.tables.objects.get(object_id)
                if newest and (newest.epoch, newest.worker) == (seen.epoch, seen.worker):
                    taken = newest._replace(worker=worker, epoch=database.next_epoch())
        elif live and seen is None:
            yield Lock(("object", object_id))  # an insertion in progress is waited for
            if object_id not in database.tables.objects:
                taken = ObjectRow(database.next_epoch(), worker, 0, {})
        if taken is not None:
            yield Commit([(("object", object_id), taken)])
        return Claimed(
            epoch=taken.epoch if taken else None,
            seq=taken.seq if taken else 0,
            live=live,
            held=held,
            expired=expired,
            holder=seen.worker if seen else None,
        )

    return make


def load(object_id: int, epoch: int, seq: int) -> Make:
    """LOAD; answers the rows, or None when epoch or number are others."""

    def make(execution: Execution) -> Statement:
        row = execution.database.tables.objects.get(object_id)
        yield PAUSE
        if row is None or (row.epoch, row.seq) != (epoch, seq):
            return None
        return dict(row.rows)

    return make


def state(objects: Sequence[int]) -> Make:
    """STATE."""

    def make(execution: Execution) -> Statement:
        rows = execution.database.tables.objects
        found = {key: rows[key] for key in objects if key in rows}
        yield PAUSE
        return found

    return make


def release(worker: int, object_id: int, epoch: int) -> Make:
    """RELEASE."""

    def make(execution: Execution) -> Statement:
        database = execution.database

        def mine() -> ObjectRow | None:
            row = database.tables.objects.get(object_id)
            return row if row and (row.epoch, row.worker) == (epoch, worker) else None

        seen = mine()
        if seen is None:
            return None
        yield PAUSE
        yield Lock(("object", object_id))
        row = mine()
        if row is not None:
            empty = not seen.rows and row.seq == seen.seq
            released = None if empty else row._replace(worker=None)
            yield Commit([(("object", object_id), released)])
        return None

    return make


def commit(worker: int, batches: Sequence[Batch], fence: "Fence | None" = None) -> Make:
    """The statement of a group commit; answers the objects that it has written."""
    fence = fence or Fence()

    def make(execution: Execution) -> Statement:
        database = execution.database
        objects = database.tables.objects
        wanted = [
            batch
            for batch in sorted(batches)
            if fence.admits(objects.get(batch.object_id), worker, batch)
        ]
        yield PAUSE
        changes: list[Change] = []
        written = []
        for batch in wanted:
            key = ("object", batch.object_id)
            if not execution.try_lock(key):
                if not fence.waits:
                    continue
                yield Lock(key)
            row = database.tables.objects.get(batch.object_id)
            if row is None or not (fence.waits or fence.admits(row, worker, batch)):
                continue
            rows = row.rows | {where: operation for operation, where, _ in batch.writes}
            changes.append((key, row._replace(seq=row.seq + 1, rows=rows)))
            written.append(batch)
        if changes:
            yield Commit(changes, tuple(written))
        return {batch.object_id for batch in written}

    return make


class Fence:
    """What a commit has to prove. Variants of it are broken on purpose."""

    waits = False
    """Whether it waits for a locked row and trusts what it saw before (no SKIP LOCKED)."""

    def admits(self, row: ObjectRow | None, worker: int, batch: Batch) -> bool:
        """Whether the row is what the batch says."""
        return (
            row is not None
            and row.worker == worker
            and row.epoch == batch.epoch
            and row.seq == batch.number
        )
