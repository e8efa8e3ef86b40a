"""A session's plan of the commit, made on empty tables, when the tables have grown under it.

The statement is prepared and run while there is nothing, then a hundred thousand objects come to
be that no statistics know of, and the same plan runs again. It may look at what the commit names
and at nothing else.
"""

import re
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.core.ids import CommitSeq, Epoch, ObjectIds
from app.core.values import NO_ALARMS, Alarm, AlarmWrites, WriteBatch
from app.store.commit_history import history_forms
from app.store.commit_statement import PLAIN, SESSION, CommitForms, Flight, commit_call
from tests.integration.store.test_plans import AS_NEW, COMMITS
from tests.unit.store.test_commit_statement import Silent

GROW = """
insert into object (object_id, namespace, worker_id, epoch)
select md5(n::text)::uuid, 'notes', $1, 1 from generate_series(1, 100000) n
"""
ROWS = """
insert into object_row
select md5((n / 5)::text)::uuid, convert_to((n % 5)::text, 'utf8'), ''
from generate_series(1, 100000) n
"""
ALARMS = """
insert into object_alarm (object_id, name, due_at)
select md5(n::text)::uuid, '', now() from generate_series(1, 20000) n
"""
NOTHING = "select"
ONE_OF_EACH = """
insert into object (object_id, namespace, epoch) values (gen_random_uuid(), 'notes', 1);
insert into object_row select object_id, 'key', '' from object;
insert into object_alarm (object_id, due_at) select object_id, now() from object;
analyze object, object_row, object_alarm;
"""
MOST_ROWS = 200
"""Of one step of a plan, for commits of at most 20 rooms with a few rows each."""

DUE = Alarm(due_ms=5, next_attempt_ms=7)
SET: AlarmWrites = {"": DUE, "other": None}


def flight(number: int, *, entries: dict[bytes, bytes | None], with_all: bool) -> Flight:
    """A batch of the object that `GROW` makes with that number."""
    made = ObjectIds(b"k" * 32).from_name("notes", str(number))
    object_id = type(made)("notes", UUID(MD5[number]), made.check)
    batch = WriteBatch(
        object_id=object_id,
        epoch=Epoch(1),
        expected=CommitSeq(0),
        wipe=with_all and number % 2 == 1,
        entries=entries,
        size_bytes=0,
        alarms=SET if with_all else NO_ALARMS,
    )
    return Flight(Silent(), batch)


MD5: dict[int, str] = {}


async def as_sql(connection: "asyncpg.Connection[asyncpg.Record]", value: object, kind: str) -> str:
    """A value as a literal of the type."""
    text: str = await connection.fetchval(f"select quote_nullable($1::{kind}::text)", value)
    return f"{text}::{kind}"


async def rows_of_steps(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, literals: str
) -> list[tuple[float, str]]:
    """Run what was prepared; how many rows each step of the plan handed on or threw away."""
    found = await connection.fetch(
        f"explain (analyze, timing off, summary off) execute form_{name} ({literals})"
    )
    seen = []
    for (line,) in found:
        if made := re.search(r"actual rows=([\d.]+) loops=([\d.]+)", line):
            seen.append((float(made[1]) * float(made[2]), line))
        elif thrown := re.search(r"Rows Removed by .*: ([\d.]+)", line):
            seen.append((float(thrown[1]), line))
    return seen


@pytest.mark.parametrize(
    ("forms", "first"),
    [(PLAIN, NOTHING), (history_forms(), ONE_OF_EACH)],
    ids=["plain, of empty tables", "with history, of statistics that say one row"],
)
async def test_a_plan_of_small_tables_walks_no_table_that_has_grown(
    database_url: str, forms: CommitForms, first: str
) -> None:
    connection = await asyncpg.connect(database_url, server_settings=dict(SESSION))
    transaction = connection.transaction()
    await transaction.start()  # nobody else sees the tables grow, so nobody makes statistics
    try:
        await connection.execute(AS_NEW)
        await connection.execute(first)
        rows = await connection.fetch("select n, md5(n::text) as id from generate_series(1, 120) n")
        MD5.update((row["n"], row["id"]) for row in rows)
        worker = uuid4()
        calls = {}
        for number, form in enumerate(CommitForms._fields):
            calls[form] = await prepared(connection, form, forms, worker, 20 * number)
            assert await connection.fetch(f"execute form_{form} ({calls[form]})") == []
        await connection.execute(GROW.replace("$1", f"'{worker}'"))
        await connection.execute(ROWS)
        await connection.execute(ALARMS)
        steps = {form: await rows_of_steps(connection, form, calls[form]) for form in calls}
        done = await connection.fetchval("select count(*) from object where commit_seq = 1")
    finally:
        await transaction.rollback()
        await connection.close()
    assert done == 3 * 20 + 3
    for form, seen in steps.items():
        assert max(seen)[0] <= MOST_ROWS, (form, max(seen))


async def prepared(
    connection: "asyncpg.Connection[asyncpg.Record]",
    form: str,
    forms: CommitForms,
    worker: UUID,
    first: int,
) -> str:
    """Prepare a form under its name; returns the arguments of a commit as literals."""
    entries: dict[bytes, bytes | None] = {b"0": b"new"}
    if form != "value_one":
        entries |= {b"new": b"1"} | ({} if form.startswith("puts") else {b"1": None})
    count = 1 if form.endswith("_one") else 20
    flights = [
        flight(first + n, entries=entries, with_all=form == "all") for n in range(1, count + 1)
    ]
    statement, arguments = commit_call(worker, flights, forms)
    assert statement == getattr(forms, form)
    types = COMMITS[form][1]
    await connection.execute(f"prepare form_{form} ({types}) as {statement}")
    literals = [
        await as_sql(connection, value, kind)
        for value, kind in zip(arguments, types.split(", "), strict=True)
    ]
    return ", ".join(literals)
