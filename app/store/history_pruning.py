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

How much there is of each object is counted on the way (`history_account`), and only what is
counted is removed.

What was deleted and not released since is an empty row that stands for its history alone: it goes
with the last of it, unless somebody has claimed it.
"""

from typing import Any, Final
from uuid import UUID

import structlog

from ..core.clock import Clock, SystemClock
from ..core.errors import StateroomError
from ..core.history import HistoryRule
from ..core.metrics import Tally
from .database import Database
from .history_account import CLOSE, WEIGHT, count_history

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

# $1 the object before, $2 how many, $3 seconds. `oldest` is the first kept commit of each object,
# whatever else there is of it: one look-up in the index.
LOOK: Final = """
with recursive oldest as (
    (select object_id, commit_seq, made_at from object_history
     where object_id > $1 order by object_id, commit_seq limit 1)
    union all
    (select next.* from oldest, lateral (
        select object_id, commit_seq, made_at from object_history h
        where h.object_id > oldest.object_id order by h.object_id, h.commit_seq limit 1
     ) as next)
), looked as materialized (
    select * from oldest limit $2
)
select looked.object_id,
       o.object_id is null or looked.made_at < now() - make_interval(secs => $3)
       or looked.commit_seq <= o.history_from as doomed,
       coalesce(o.history_seq, 0) > coalesce(s.counted_seq, 0) as uncounted,
       coalesce(s.size_bytes, 0) as size_bytes
from looked
left join object o on o.object_id = looked.object_id
left join history_account s on s.object_id = looked.object_id
order by looked.object_id
"""

# $1 object, $2 seconds, $3 bytes, $4 rows. Up to the last of the first commits that may all go:
# those of which what comes after them is as much as may be kept.
SETTLE: Final = f"""
with seen as materialized (
    select o.object_id, o.history_from, coalesce(s.size_bytes, 0) as size_bytes
    from object o left join history_account s on s.object_id = o.object_id where o.object_id = $1
), head as materialized (
    select made.commit_seq, made.made_at, sum(made.weight) over (order by made.commit_seq) as upto
    from (
        select distinct commit_seq from (
            select h.commit_seq from object_history h where h.object_id = $1
            order by h.commit_seq limit $4
        ) as few
    ) as first cross join lateral (
        select h.commit_seq, h.made_at, sum({WEIGHT}) as weight from object_history h
        where h.object_id = $1 and h.commit_seq = first.commit_seq
        group by h.commit_seq, h.made_at
    ) as made
), judged as materialized (
    select head.commit_seq, head.made_at,
           head.made_at < now() - make_interval(secs => $2)
           or seen.size_bytes - head.upto >= greatest($3::int8, 1)
           or head.commit_seq <= seen.history_from as goes
    from head, seen
), last as materialized (
    select commit_seq, made_at from judged
    where goes and commit_seq < coalesce(
        (select min(commit_seq) from judged where not goes), (1::int8 << 62))
    order by commit_seq desc limit 1
), locked as materialized (
    select o.object_id from object o, last
    where o.object_id = $1 and o.history_from < last.commit_seq
    for no key update of o skip locked
)
update object o set history_from = last.commit_seq, history_since = last.made_at
from locked, last where o.object_id = locked.object_id and o.object_id = $1
"""  # noqa: S608 - no value in it

# $1 object, $2 rows. An object without a row has no past, and nobody counts it any more.
REMOVE: Final = f"""
with account as materialized (
    select s.object_id, s.counted_seq from history_account s where s.object_id = $1 for update
), floor as materialized (
    select coalesce(
        (select least(o.history_from, coalesce((select counted_seq from account), 0))
         from object o where o.object_id = $1), 1::int8 << 62) as seq
), gone as (
    delete from object_history h where h.ctid = any(array(
        select h.ctid from object_history h, floor
        where h.object_id = $1 and h.commit_seq <= floor.seq
        order by h.commit_seq limit $2 for update of h skip locked
    )) returning {WEIGHT} as weight
), booked as (
    update history_account s
    set size_bytes = s.size_bytes - (select coalesce(sum(weight), 0) from gone)
    from account where s.object_id = account.object_id and s.object_id = $1
)
select count(*) as removed from gone
"""  # noqa: S608 - no value in it

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
        tally: Told how much is removed.
    """

    def __init__(
        self,
        database: Database,
        rule: HistoryRule,
        *,
        clock: Clock | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally()
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
        looked = await self._database.fetch(LOOK, self._at, STEP_OBJECTS, self._rule.seconds)
        sums = {row["object_id"]: row["size_bytes"] for row in looked}
        sums |= await count_history(
            self._database, [row["object_id"] for row in looked if row["uncounted"]]
        )
        enough = max(self._rule.size_bytes, 1)
        for row in looked:
            object_id = row["object_id"]
            if row["doomed"] or sums[object_id] >= enough:
                await self._prune(object_id)
            self._at = object_id
        more = len(looked) == STEP_OBJECTS
        if not more:
            self._at = _LOWEST
        return more

    async def _prune(self, object_id: UUID) -> None:
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
        await self._database.fetch(CLOSE, object_id)
        await self._database.fetch(SWEEP, object_id)
        self._tally.add(removed, "history_pruned_rows")
        _log.debug("history_pruned", object=str(object_id), values=removed)
