"""The leases of workers: the Postgres side of `core.ports.WorkerLeases`.

Time is the database's `clock_timestamp()`, read after the worker's row is locked, not when the
statement began. A lease ends once: a row that is `dead` is dead for ever, and one whose time has
run out can no longer be renewed, whether or not anybody has marked it yet. Marking and renewing
lock the same row, so of the two only one happens. A worker that is `draining` keeps its lease and
what it holds, and claims nothing.
"""

from typing import Final

import asyncpg

from ..core.errors import LeaseLost, StorageRefused, WorkerSlotTaken
from ..core.ids import WorkerId
from ..core.values import LeaseGrant, WorkerIdentity
from .database import Database

_NOW_MS: Final = "(extract(epoch from clock_timestamp()) * 1000)::bigint as database_ms"

# $1 worker. The condition is tested again on the row's newest version if it had to wait.
END_EXPIRED_LEASE: Final = """
update worker set state = 'dead'
where worker_id = $1 and state <> 'dead' and lease_expires_at <= clock_timestamp()
"""

_END_EXPIRED_AT_PLACE: Final = """
update worker set state = 'dead'
where node = $1 and slot = $2 and state <> 'dead' and lease_expires_at <= clock_timestamp()
"""

# Repeating it (the answer was lost) finds the own row and answers the same, while the lease lasts.
_REGISTER: Final = f"""
insert into worker
    (worker_id, node, slot, boot_id, address, version, state, lease_expires_at)
values ($1, $2, $3, $4, $5, $6, 'live', clock_timestamp() + make_interval(secs => $7))
on conflict (node, slot) where state <> 'dead' do update
    set lease_expires_at = clock_timestamp() + make_interval(secs => $7)
    where worker.worker_id = $1 and worker.state = 'live'
      and worker.lease_expires_at > clock_timestamp()
returning {_NOW_MS}
"""  # noqa: S608 - no value in it

# The row is locked first and the clock read then: a statement that waited for the lock longer
# than the lease lasted must not revive it.
RENEW: Final = f"""
with mine as materialized (
    select worker_id, state, lease_expires_at from worker where worker_id = $1
    for no key update
)
update worker w set lease_expires_at = clock_timestamp() + make_interval(secs => $2)
from mine
where w.worker_id = mine.worker_id and mine.state <> 'dead'
  and mine.lease_expires_at > clock_timestamp()
returning {_NOW_MS}, w.state = 'draining' as draining
"""  # noqa: S608 - no value in it

_SET_STATE: Final = """
update worker set state = $2
where worker_id = $1 and state <> 'dead' and lease_expires_at > clock_timestamp()
returning worker_id
"""

_RETIRE: Final = "update worker set state = 'dead' where worker_id = $1 and state <> 'dead'"

# A burial names lives, not their place: a copy of it that arrives late must not find the next life
# there.
_LIVES: Final = """
select worker_id from worker
where node = $1 and slot = $2 and boot_id = $3 and state <> 'dead'
"""

_BURY: Final = """
update worker set state = 'dead' where worker_id = any($1::uuid[]) and state <> 'dead'
returning worker_id
"""


class PostgresWorkerLeases:
    """See the module and `WorkerLeases`.

    It has a connection of its own, so that a renewal never waits behind reads. Cancelling is
    safe; whether the statement was applied is then not known.

    Args:
        database: An open database; it closes the connection when it is closed.
    """

    def __init__(self, database: Database) -> None:
        self._connection = database.own_pool(size=1)

    async def register(self, identity: WorkerIdentity, *, lease_seconds: float) -> LeaseGrant:
        """See `WorkerLeases.register`."""
        fetch = self._connection.fetch
        await fetch(_END_EXPIRED_AT_PLACE, identity.node, identity.slot)
        try:
            rows = await fetch(
                _REGISTER,
                identity.worker_id,
                identity.node,
                identity.slot,
                identity.boot_id,
                identity.address,
                identity.version,
                lease_seconds,
            )
        except StorageRefused as error:
            # The one constraint that can object: the id stands there, and not as ours to renew.
            if isinstance(error.__cause__, asyncpg.UniqueViolationError):
                raise LeaseLost("this worker id had its life, which is over") from error
            raise
        if not rows:
            raise WorkerSlotTaken(
                f"a live worker stands at slot {identity.slot} of this node already"
            )
        return LeaseGrant(database_ms=rows[0]["database_ms"])

    async def renew(self, worker_id: WorkerId, *, lease_seconds: float) -> LeaseGrant | None:
        """See `WorkerLeases.renew`."""
        rows = await self._connection.fetch(RENEW, worker_id, lease_seconds)
        if not rows:
            return None
        return LeaseGrant(database_ms=rows[0]["database_ms"], draining=rows[0]["draining"])

    async def set_draining(self, worker_id: WorkerId, *, draining: bool) -> bool:
        """See `WorkerLeases.set_draining`."""
        state = "draining" if draining else "live"
        return bool(await self._connection.fetch(_SET_STATE, worker_id, state))

    async def retire(self, worker_id: WorkerId) -> None:
        """See `WorkerLeases.retire`."""
        await self._connection.fetch(_RETIRE, worker_id)

    async def bury(self, *, node: str, slot: int, boot_id: str) -> int:
        """See `WorkerLeases.bury`."""
        lives = await self._connection.fetch(_LIVES, node, slot, boot_id)
        if not lives:
            return 0
        return len(await self._connection.fetch(_BURY, [row["worker_id"] for row in lives]))
