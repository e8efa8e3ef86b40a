"""Reading whole objects for a backup: the Postgres side of `core.backup.BackupSource`.

Small objects are read many at a time: one statement is one snapshot. A large one is read page by
page in a transaction of its own that keeps its snapshot (`repeatable read`); it takes no lock
that a commit waits for. Whoever reads slowly keeps the database from tidying up behind its
snapshot, so the server ends a transaction in which nothing is asked for a minute.

What is deleted is not read; nor is what stores nothing, which is as if it had never been.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg

from ..core.backup import BackupPage, ObjectHead, Row, Standing, StoredPart
from ..core.content_digest import Digest
from ..core.limits import PAGE_BYTES, PAGE_ROWS
from ..core.values import Alarm, AlarmFailure, KeyRange
from .database import Database
from .failures import DRIVER_ERRORS, translated
from .storage import scan_statement

PAGE_OBJECTS: Final = 100
SEEN_OBJECTS: Final = 2_000
SMALL_ROWS: Final = 256
SMALL_BYTES: Final = 1 << 16
_SMALL_ALARMS: Final = 16
_IDLE_MS: Final = 60_000

_MS: Final = "(extract(epoch from {}) * 1000)::int8"

_HEAD: Final = f"""
o.object_id, o.namespace, o.name, o.commit_seq, {_MS.format("o.created_at")} as created_ms,
       {_MS.format("o.committed_at")} as committed_ms, o.frozen_at is not null as frozen"""

_ALARMS: Final = f"""
array(
    select row(a.name, {_MS.format("a.due_at")}, {_MS.format("a.next_attempt_at")},
               a.counted_attempts, a.uncounted_attempts, a.payload, a.every_ms,
               a.error_class, a.error_text, {_MS.format("a.failed_at")})
    from object_alarm a where a.object_id = {{object}} order by a.name collate "C"
)"""  # noqa: S608 - no value in it

# $1 namespace or null, $2 after which id, $3 objects, $4 rows, $5 bytes, $6 alarms, $7 objects that
# are looked at, so that a small namespace among many objects is looked for a bounded part at a
# time. The keys and values of what is too large stay where they are: only their lengths are asked
# for. Always one row at least, for what was looked at.
PAGE: Final = f"""
with seen as materialized (
    select {_HEAD}, o.deleted_at from object o
    where o.object_id > $2 order by o.object_id limit $7
), listed as materialized (
    select * from seen
    where ($1::text is null or namespace = $1) and deleted_at is null
    order by object_id limit $3
), measured as materialized (
    select l.*, coalesce(r.rows, 0) as rows, a.alarms,
           coalesce(r.rows, 0) <= $4 and coalesce(r.bytes, 0) <= $5 and a.alarms <= $6 as small
    from listed l cross join lateral (
        select count(*) as rows, sum(size) as bytes from (
            select octet_length(key) + octet_length(value) as size
            from object_row where object_id = l.object_id order by key limit $4 + 1
        ) as first_rows
    ) as r cross join lateral (
        select count(*) as alarms from (
            select from object_alarm where object_id = l.object_id limit $6 + 1
        ) as first_alarms
    ) as a
)
select m.*,
       case when small then array(
           select key from object_row where object_id = m.object_id order by key
       ) end as keys,
       case when small then array(
           select value from object_row where object_id = m.object_id order by key
       ) end as values,
       case when small and m.alarms > 0 then {_ALARMS.format(object="m.object_id")} end as due,
       (select count(*) from seen) as seen,
       (select object_id from seen order by object_id desc limit 1) as seen_to
from (values (1)) as one (n) left join measured m on true order by m.object_id
"""  # noqa: S608 - no value in it

# $1 object
ONE: Final = f"""
select {_HEAD}, {_ALARMS.format(object="o.object_id")} as due
from object o where o.object_id = $1 and o.deleted_at is null
"""  # noqa: S608 - no value in it

# $1 objects. The digest is that of `core.content_digest`.
STANDING: Final = """
select w.object_id, r.rows, r.size_bytes, r.sha256, a.alarms
from unnest($1::uuid[]) as w (object_id) cross join lateral (
    select count(*) as rows,
           coalesce(sum(octet_length(key) + octet_length(value)), 0)::int8 as size_bytes,
           sha256(coalesce(string_agg(
               sha256(int4send(octet_length(key)) || key || value), ''::bytea order by key
           ), ''::bytea)) as sha256
    from object_row where object_id = w.object_id
) as r cross join lateral (
    select count(*) as alarms from object_alarm where object_id = w.object_id
) as a
where r.rows > 0 or a.alarms > 0
"""

_BEFORE_ALL: Final = UUID(int=0)


class PostgresBackupSource:
    """See the module and `BackupSource`.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, namespace: str | None, after: UUID | None) -> BackupPage:
        """See `BackupSource.page`."""
        found = await self._database.fetch(
            PAGE,
            namespace,
            after or _BEFORE_ALL,
            PAGE_OBJECTS,
            SMALL_ROWS,
            SMALL_BYTES,
            _SMALL_ALARMS,
            SEEN_OBJECTS,
        )
        last = found[-1]["object_id"] if len(found) == PAGE_OBJECTS else None
        if last is None and found[0]["seen"] == SEEN_OBJECTS:
            last = found[0]["seen_to"]
        objects = [_part(row) for row in found if row["rows"] or row["alarms"]]
        return BackupPage(objects=objects, last=last)

    async def parts(self, object_id: UUID) -> AsyncGenerator[StoredPart, None]:
        """See `BackupSource.parts`."""
        target = self._database.target
        try:
            connection = await target.connect_raw()
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    await connection.execute(
                        f"set local idle_in_transaction_session_timeout = {_IDLE_MS}"
                    )
                    async for part in _parts(connection, object_id, target.statement_seconds):
                        yield part
            finally:
                connection.terminate()
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def standing(self, objects: Collection[UUID]) -> dict[UUID, Standing]:
        """See `BackupSource.standing`."""
        found = await self._database.fetch(STANDING, list(objects))
        return {
            row["object_id"]: Standing(
                digest=Digest(
                    rows=row["rows"], size_bytes=row["size_bytes"], sha256=row["sha256"].hex()
                ),
                alarms=row["alarms"],
            )
            for row in found
        }


async def _parts(
    connection: "asyncpg.Connection[asyncpg.Record]", object_id: UUID, seconds: float
) -> AsyncGenerator[StoredPart, None]:
    async with asyncio.timeout(seconds):
        found = await connection.fetchrow(ONE, object_id)
    if found is None:
        return
    part = StoredPart(head=_head(found), rows=(), alarms=_alarms(found["due"]))
    start: bytes | None = None
    while True:
        scan = scan_statement(KeyRange(start=start))
        async with asyncio.timeout(seconds):
            page = await connection.fetch(scan, object_id, start, None, PAGE_ROWS, PAGE_BYTES)
        rows: list[Row] = [(row["key"], row["value"]) for row in page if row["wanted"]]
        if rows or part.alarms:
            yield replace(part, rows=rows)
        if len(rows) == len(page):
            return
        part = StoredPart(head=part.head, rows=())
        start = rows[-1][0] + b"\0"


def _part(row: asyncpg.Record) -> StoredPart:
    rows = list(zip(row["keys"], row["values"], strict=True)) if row["small"] else None
    return StoredPart(head=_head(row), rows=rows, alarms=_alarms(row["due"]))


def _head(row: asyncpg.Record) -> ObjectHead:
    return ObjectHead(
        namespace=row["namespace"],
        name=row["name"],
        uuid=row["object_id"],
        commit_seq=row["commit_seq"],
        created_ms=row["created_ms"],
        committed_ms=row["committed_ms"],
        frozen=row["frozen"],
    )


def _alarms(due: list[tuple[Any, ...]] | None) -> dict[str, Alarm]:
    return {name: _alarm(*columns) for name, *columns in due or ()}


def _alarm(  # noqa: PLR0917 - the columns of a row, in their order
    due_ms: int,
    next_ms: int | None,
    counted: int,
    uncounted: int,
    payload: bytes | None,
    every_ms: int | None,
    error_class: str | None,
    error_text: str | None,
    failed_ms: int | None,
) -> Alarm:
    failure = None
    if failed_ms is not None:
        failure = AlarmFailure(
            error_class=error_class or "", error_text=error_text or "", at_ms=failed_ms
        )
    return Alarm(
        due_ms=due_ms,
        next_attempt_ms=next_ms,
        counted_attempts=counted,
        uncounted_attempts=uncounted,
        payload=payload,
        every_ms=every_ms,
        failure=failure,
    )
