"""The plans of the hot statements: by index, on tables that are empty and on full ones.

A session keeps its plan while the tables grow under it, so the plan that is made on an empty
table must already be the right one.
"""

import re

import asyncpg
import pytest

from app.core.values import KeyRange
from app.store.alarm_lists import DEAD, DUE
from app.store.alarms import CLAIM_DUE, KEEP, READ_ALARM, READ_ALARMS
from app.store.backup import ONE, PAGE
from app.store.commit_history import COMMIT_RESTORE, history_forms
from app.store.commit_statement import (
    COMMIT_ALL,
    COMMIT_DELETES,
    COMMIT_DELETES_ONE,
    COMMIT_PUTS,
    COMMIT_PUTS_ONE,
    COMMIT_VALUE_ONE,
    SESSION,
    STATE,
    CommitForms,
)
from app.store.history_account import COUNT
from app.store.history_pruning import LOOK, REMOVE, SETTLE
from app.store.object_states import (
    BEGIN_PURGES,
    SET_FROZEN,
    UNDELETE,
    purge_rows_statement,
)
from app.store.object_states import STATE as OBJECT_STATE
from app.store.owners import HOLDER
from app.store.staging import CLAIM_NEW, RELEASE_WRITTEN
from app.store.storage import CLAIM, LOAD, READ, RELEASE, scan_statement
from app.store.stored_keys import keys_statement
from tests.conftest import PostgresServer

FILL = """
insert into object (object_id, namespace, epoch)
select gen_random_uuid(), 'notes', n from generate_series(1, 20000) n;
insert into object_row
select object_id, convert_to(n::text, 'utf8'), '' from object, generate_series(1, 4) n;
insert into object_alarm (object_id, due_at, next_attempt_at)
select object_id, now() + epoch * interval '1 s', now() + epoch * interval '1 s' from object;
insert into object_alarm (object_id, name, due_at)
select object_id, 'dead', now() + epoch * interval '1 s' from object;
insert into object_deletion select object_id, now() + epoch * interval '1 s' from object;
insert into object_history
select object_id, n, '', '', now(), n from object, generate_series(1, 4) n;
analyze;
"""

AS_NEW = (
    "truncate object, object_row, object_alarm, object_deletion, object_history, history_account"
)

KEEPING = history_forms()
IN_PART = history_forms({"fleeting", "notes"})
COMMITS = {
    "puts": (COMMIT_PUTS, "uuid, uuid[], int8[], int8[], uuid[], bytea[], bytea[]"),
    "deletes": (
        COMMIT_DELETES,
        "uuid, uuid[], int8[], int8[], uuid[], bytea[], bytea[], uuid[], bytea[]",
    ),
    "all": (
        COMMIT_ALL,
        (
            "uuid, uuid[], int8[], int8[], uuid[], bytea[], bytea[], uuid[], bytea[], uuid[], "
            "uuid[], text[], int8[], int8[], int4[], int4[], bytea[], int8[], text[], text[], "
            "int8[], uuid[], text[]"
        ),
    ),
    "puts_one": (COMMIT_PUTS_ONE, "uuid, uuid, int8, int8, bytea[], bytea[]"),
    "deletes_one": (COMMIT_DELETES_ONE, "uuid, uuid, int8, int8, bytea[], bytea[], bytea[]"),
    "value_one": (COMMIT_VALUE_ONE, "uuid, uuid, int8, int8, bytea, bytea"),
}
KEEPING_COMMITS = {
    f"{name} {kind}": (getattr(forms, name), COMMITS[name][1])
    for kind, forms in (("keeping history", KEEPING), ("keeping some history", IN_PART))
    for name in CommitForms._fields
} | {"restore": (COMMIT_RESTORE, "uuid, uuid, int8, int8, int8")}
READS = {
    "history to prune": (LOOK, "uuid, int8, float8"),
    "settling of history": (SETTLE, "uuid, float8, int8, int8"),
    "removal of history": (REMOVE, "uuid, int8"),
    "account of history": (COUNT, "uuid[], int8"),
    "state": (STATE, "uuid[]"),
    "claim": (CLAIM, "uuid, uuid, text, text"),
    "load": (LOAD, "uuid, int8, int8, int4, int8"),
    "read": (READ, "uuid, bytea[]"),
    "scan": (scan_statement(KeyRange(start=b"a")), "uuid, bytea, bytea, int4, int8"),
    "scan backwards": (
        scan_statement(KeyRange(end=b"a", reverse=True)),
        "uuid, bytea, bytea, int4, int8",
    ),
    "release": (RELEASE, "uuid, int8, uuid"),
    "alarm": (READ_ALARM, "uuid, text"),
    "alarms": (READ_ALARMS, "uuid"),
    "due alarms": (CLAIM_DUE, "uuid, int8, float8, int8, uuid[]"),
    "state of an object": (OBJECT_STATE, "uuid"),
    "freeze": (SET_FROZEN, "uuid, int8, uuid, bool"),
    "undelete": (UNDELETE, "uuid"),
    "due purges": (BEGIN_PURGES, "int8, uuid[]"),
    "a step of a purge": (purge_rows_statement(), "uuid, int8"),
    "keys": (keys_statement(KeyRange(start=b"a")), "uuid, bytea, bytea, int8"),
    "alarms of all": (DUE, "int8, int8, uuid, text, int8"),
    "alarms given up": (DEAD, "int8, int8, uuid, text, text"),
    "holder": (HOLDER, "uuid"),
    "backup page": (PAGE, "text, uuid, int8, int8, int8, int8, int8"),
    "backup of one": (ONE, "uuid"),
    "claim of new objects": (CLAIM_NEW, "uuid, uuid[], text[], text[]"),
    "release of many": (RELEASE_WRITTEN, "uuid, uuid[], int8[]"),
    "kept alarms": (KEEP, "uuid, uuid[], text[], int8[], float8"),
}


async def plan(connection: "asyncpg.Connection[asyncpg.Record]", statement: str, types: str) -> str:
    await connection.execute(f"prepare looked_at ({types}) as {statement}")
    arguments = ", ".join("null" for _ in types.split(","))
    rows = await connection.fetch(f"explain execute looked_at ({arguments})")
    await connection.execute("deallocate looked_at")
    return "\n".join(row[0] for row in rows)


def scanned_whole(text: str) -> list[str]:
    return re.findall(r"Seq Scan on (object\w*)", text)


@pytest.mark.parametrize("commits", [COMMITS, KEEPING_COMMITS], ids=["plain", "with history"])
async def test_a_commit_finds_its_rows_by_index(
    postgres_server: PostgresServer, database_url: str, commits: dict[str, tuple[str, str]]
) -> None:
    assert postgres_server.url
    connection = await asyncpg.connect(database_url, server_settings=dict(SESSION))
    try:
        async with connection.transaction():  # autovacuum may have looked at the empty tables
            await connection.execute(AS_NEW)
            on_empty = {name: await plan(connection, *form) for name, form in commits.items()}
        await connection.execute(FILL)
        on_full = {name: await plan(connection, *form) for name, form in commits.items()}
    finally:
        await connection.close()
    for name, text in (*on_empty.items(), *on_full.items()):
        assert not scanned_whole(text), name
        assert "object_pkey" in text
        assert "$1" in text, "not the generic plan"
        # Locks in the order of ids, whatever order the client sent.
        one = name == "restore" or "_one" in name
        assert one or re.search(
            r"LockRows[^\n]*\n(\s*->  Nested Loop[^\n]*\n(\s*Disabled[^\n]*\n)?)?"
            r"\s*->\s*Sort[^\n]*\n\s*Sort Key: want\.object_id",
            text,
        )


@pytest.mark.parametrize("name", READS)
async def test_a_read_finds_its_rows_by_index(database_url: str, name: str) -> None:
    connection = await asyncpg.connect(
        database_url, server_settings={"plan_cache_mode": "force_generic_plan"}
    )
    try:
        await connection.execute(FILL)
        text = await plan(connection, *READS[name])
    finally:
        await connection.close()
    assert not scanned_whole(text)
    assert not re.search(r"Sort Key: (key|object_row\.key)", text), "the index has the order"
