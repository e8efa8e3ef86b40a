"""Rows that nobody will ask for again are removed in the background, by any worker.

* **Workers** whose lease ran out more than a day ago. A worker without a row counts as dead, so
  nothing depends on them. They are kept for a day because people look at them after an outage,
  and because a late copy of a registration must find its id taken: none is under way that long.
* **Objects** that never committed anything and whose holder died: a room that was opened, said
  nothing worth keeping, and ended with its worker. They hold no rows and no alarms.

* **Staged rows** of imports that were given up more than a day ago.

The second kind is looked for in the order in which the table lies on disk, a small part at a
time, so that no index has to be kept for it on columns that every commit changes. All workers
together read at the pace of one.

**A claim is never in danger.** Rows that somebody else has locked are skipped; and a row is
removed only in the very version that was looked at (its epoch), for the holder it has by then may
have registered after the statement's snapshot and would look as if it did not exist.
"""

from typing import Final

import structlog

from ..core.clock import Clock, SystemClock
from ..core.errors import StateroomError
from .database import Database

_log = structlog.get_logger(__name__)

DEAD_WORKER_SECONDS: Final = 86_400
STAGED_SECONDS: Final = 86_400
STEP_BLOCKS: Final = 128
"""How much of the table one step reads: 1 MiB, some thousands of objects."""
STEP_ROWS: Final = 500
"""Most rows that one statement removes."""
STEP_SECONDS: Final = 5.0
"""Between two steps of one worker, times the number of workers."""
PASS_SECONDS: Final = 600.0
"""Between the end of the table and the next beginning."""
_AFTER_ERROR_SECONDS: Final = 60.0

# $1 seconds, $2 rows. A lease that ran out cannot be renewed, whatever the row's state says.
SWEEP_WORKERS: Final = """
with old as materialized (
    select worker_id from worker
    where lease_expires_at < clock_timestamp() - make_interval(secs => $1)
    limit $2
    for update skip locked
)
delete from worker w using old where w.worker_id = old.worker_id
returning w.worker_id
"""

# $1 first block, $2 the block after the last, $3 rows. One snapshot shows a row in one place, so
# naming the part again loses none; without, a small table would be read whole to join it.
SWEEP_OBJECTS: Final = """
with seen as materialized (
    select o.object_id, o.epoch, o.worker_id from object o
    where o.ctid >= $1::tid and o.ctid < $2::tid and o.commit_seq = 0
      and o.worker_id is not null and o.frozen_at is null
      and not exists (
          select from worker w where w.worker_id = o.worker_id and w.state <> 'dead'
      )
    limit $3
), locked as materialized (
    select o.object_id from object o join seen on seen.object_id = o.object_id
    where o.ctid >= $1::tid and o.ctid < $2::tid
      and o.epoch = seen.epoch and o.worker_id = seen.worker_id and o.commit_seq = 0
    for update of o skip locked
), swept as (
    delete from object o using locked
    where o.ctid >= $1::tid and o.ctid < $2::tid and o.object_id = locked.object_id
    returning o.object_id
)
select (select count(*) from swept) as swept,
       pg_relation_size('object') / current_setting('block_size')::int8 as blocks,
       (select count(*) from worker where state <> 'dead') as workers
"""


# $1 seconds, $2 rows. In the order of the table: the oldest stand first, more or less.
SWEEP_STAGED: Final = """
delete from import_row where ctid = any(array(
    select ctid from import_row
    where staged_at < clock_timestamp() - make_interval(secs => $1) limit $2
))
"""


class Sweeper:
    """See the module. Cancelling is safe at any time.

    Args:
        database: An open database.
        clock: For the pauses.
    """

    def __init__(self, database: Database, *, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._block = 0

    async def run(self) -> None:
        """Sweep for ever; an absence of the database is waited out."""
        while True:
            await self._clock.sleep(await self._pause())

    async def workers(self) -> int:
        """Remove some rows of workers that are long dead; returns how many.

        Raises:
            StoreUnavailable: The database is away.
        """
        swept = await self._database.fetch(SWEEP_WORKERS, float(DEAD_WORKER_SECONDS), STEP_ROWS)
        return len(swept)

    async def staged(self) -> None:
        """Remove some rows of imports that were given up.

        Raises:
            StoreUnavailable: The database is away.
        """
        await self._database.fetch(SWEEP_STAGED, float(STAGED_SECONDS), STEP_ROWS)

    async def objects(self) -> float:
        """Look at the next part of the objects; returns the seconds until the next step is due.

        Raises:
            StoreUnavailable: The database is away.
        """
        first, end = self._block, self._block + STEP_BLOCKS
        (row,) = await self._database.fetch(SWEEP_OBJECTS, (first, 0), (end, 0), STEP_ROWS)
        if row["swept"]:
            _log.info("objects_swept", objects=row["swept"])
        if row["swept"] < STEP_ROWS:  # else there may be more of them in this part
            self._block = end if end < row["blocks"] else 0
            if self._block == 0:
                return PASS_SECONDS
        return STEP_SECONDS * max(1, int(row["workers"]))

    async def _pause(self) -> float:
        try:
            if self._block == 0 and (swept := await self.workers()):
                _log.info("workers_swept", workers=swept)
            await self.staged()
            return await self.objects()
        except StateroomError as error:
            _log.warning("sweep_failed", code=error.code)
            return _AFTER_ERROR_SECONDS
