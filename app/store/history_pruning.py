"""History that is kept long enough, or is too much, is removed in the background, by any worker.

The objects that have history are walked in the order of their ids, by skipping through its
primary key, some hundreds a step. What is to go is settled first, in one short statement: the
object's row is told the earliest state that can still be told (`history_from`). Only then, and in
steps of their own, are the values removed, which nobody reads any more; a crash between leaves
them for the next walk.

**No commit waits.** The object's row is locked for one update in place and given up at once; a
commit that meets it in that moment is sent again some milliseconds later, as with any lock. A row
that somebody else has locked is passed over until the next walk. Values of other commits are
touched by nobody but us.

What was deleted and not released since is an empty row that stands for its history alone: it goes
with the last of it, unless somebody has claimed it.
"""

from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from ..core.clock import Clock, SystemClock
from ..core.errors import StateroomError
from ..core.history import HistoryRule
from .database import Database

_log = structlog.get_logger(__name__)

STEP_OBJECTS: Final = 200
"""How many objects one step looks at."""
STEP_ROWS: Final = 2_000
"""Most values that one statement removes."""
STEP_SECONDS: Final = 0.5
"""Between two steps of one worker."""
PASS_SECONDS: Final = 60.0
"""Between the last object and the first again."""
_BUSY_SECONDS: Final = 0.05
"""Between two statements that remove values."""
_AFTER_ERROR_SECONDS: Final = 60.0

# $1 the object before, $2 how many, $3 seconds, $4 bytes. `oldest` is the first kept commit of
# each object, whatever else there is of it: one look-up in the index.
DOOMED: Final = """
with recursive oldest as (
    (select object_id, commit_seq, made_at, total_bytes from object_history
     where object_id > $1 order by object_id, commit_seq limit 1)
    union all
    (select next.* from oldest, lateral (
        select object_id, commit_seq, made_at, total_bytes from object_history h
        where h.object_id > oldest.object_id order by h.object_id, h.commit_seq limit 1
     ) as next)
), looked as materialized (
    select * from oldest limit $2
)
select looked.object_id,
       o.object_id is null or looked.made_at < now() - make_interval(secs => $3)
       or o.history_bytes - looked.total_bytes >= greatest($4::int8, 1)
       or looked.commit_seq <= o.history_from as doomed
from looked left join object o on o.object_id = looked.object_id
order by looked.object_id
"""

# $1 object, $2 seconds, $3 bytes, $4 rows. Up to the last of the first commits that may all go.
SETTLE: Final = """
with seen as materialized (
    select o.object_id, o.history_bytes, o.history_from from object o where o.object_id = $1
), head as materialized (
    select h.commit_seq, h.made_at,
           h.made_at < now() - make_interval(secs => $2)
           or seen.history_bytes - h.total_bytes >= greatest($3::int8, 1)
           or h.commit_seq <= seen.history_from as goes
    from object_history h, seen where h.object_id = $1 order by h.commit_seq limit $4
), last as materialized (
    select commit_seq, made_at from head
    where goes and commit_seq < coalesce(
        (select min(commit_seq) from head where not goes), (1::int8 << 62))
    order by commit_seq desc limit 1
), locked as materialized (
    select o.object_id from object o, last
    where o.object_id = $1 and o.history_from < last.commit_seq
    for no key update of o skip locked
)
update object o set history_from = last.commit_seq, history_since = last.made_at
from locked, last where o.object_id = locked.object_id
"""

# $1 object, $2 rows. An object without a row has no past.
REMOVE: Final = """
with floor as materialized (
    select coalesce((select history_from from object where object_id = $1), 1::int8 << 62) as seq
), gone as (
    delete from object_history where ctid = any(array(
        select h.ctid from object_history h, floor
        where h.object_id = $1 and h.commit_seq <= floor.seq
        order by h.commit_seq limit $2 for update of h skip locked
    )) returning 1
)
select count(*) as removed from gone
"""

# $1 object. What is `bare` was seen in the snapshot; a claim since has another epoch, and only
# who has claimed it writes. See RELEASE.
SWEEP: Final = """
with seen as materialized (
    select o.epoch from object o
    where o.object_id = $1 and o.worker_id is null and o.frozen_at is null
      and o.deleted_at is null
      and not exists (select from object_row r where r.object_id = $1)
      and not exists (select from object_alarm a where a.object_id = $1)
      and not exists (select from object_history h where h.object_id = $1)
), locked as materialized (
    select o.object_id from object o, seen
    where o.object_id = $1 and o.worker_id is null and o.epoch = seen.epoch
    for update of o skip locked
)
delete from object o using locked where o.object_id = locked.object_id
"""

_LOWEST: Final = UUID(int=0)


class HistoryPruner:
    """See the module. Cancelling is safe at any time.

    Args:
        database: An open database.
        rule: How much is kept. With 0 seconds what an earlier rule has left is removed.
        clock: For the pauses.
    """

    def __init__(
        self, database: Database, rule: HistoryRule, *, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._rule = rule
        self._clock = clock or SystemClock()
        self._at: Any = _LOWEST

    async def run(self) -> None:
        """Prune for ever; an absence of the database is waited out."""
        while True:
            try:
                pause = STEP_SECONDS if await self.step() else PASS_SECONDS
            except StateroomError as error:
                _log.warning("pruning_failed", code=error.code)
                pause = _AFTER_ERROR_SECONDS
            await self._clock.sleep(pause)

    async def prune(self) -> None:
        """Walk over every object once.

        Raises:
            StoreUnavailable: The database is away.
        """
        self._at = _LOWEST
        while await self.step():
            pass

    async def step(self) -> bool:
        """Look at the next objects; returns whether there may be more.

        Raises:
            StoreUnavailable: The database is away.
        """
        looked = await self._database.fetch(
            DOOMED, self._at, STEP_OBJECTS, self._rule.seconds, self._rule.size_bytes
        )
        for row in looked:
            if row["doomed"]:
                await self._prune(row)
            self._at = row["object_id"]
        more = len(looked) == STEP_OBJECTS
        if not more:
            self._at = _LOWEST
        return more

    async def _prune(self, row: asyncpg.Record) -> None:
        object_id = row["object_id"]
        removed = 0
        while True:
            await self._database.fetch(
                SETTLE, object_id, self._rule.seconds, self._rule.size_bytes, STEP_ROWS
            )
            (found,) = await self._database.fetch(REMOVE, object_id, STEP_ROWS)
            removed += found["removed"]
            if found["removed"] < STEP_ROWS:
                break
            await self._clock.sleep(_BUSY_SECONDS)
        await self._database.fetch(SWEEP, object_id)
        _log.debug("history_pruned", object=str(object_id), values=removed)
