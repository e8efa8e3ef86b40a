"""The migrations make exactly the schema that the code believes in, and can be undone."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.errors import DatabaseUnreachable, MigrationMissing
from app.store.driver import ConnectTarget
from app.store.migration import alembic_config, check_schema, head_revision, migrate
from app.store.tables import SCHEMA_VERSION, metadata

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))

COLUMNS = """
select c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid) as default
from pg_attribute a join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0
  and not a.attisdropped and c.relname <> 'alembic_version'
order by 1, 3
"""
CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = 'public'::regnamespace and contype <> 'n'
  and conrelid::regclass::text <> 'alembic_version'
order by 1, 2
"""
INDEXES = """
select tablename, indexname, indexdef from pg_indexes
where schemaname = 'public' and tablename <> 'alembic_version' order by 1, 2
"""
OPTIONS = """
select relname, reloptions from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version'
order by 1
"""
SEQUENCES = """
select sequencename, data_type::text, start_value, increment_by, cycle, cache_size
from pg_sequences where schemaname = 'public' order by 1
"""


async def look(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def run(url: str, alembic: Any, *arguments: str) -> None:
    await asyncio.to_thread(alembic, alembic_config(ConnectTarget.from_url(url)), *arguments)


async def test_alembic_finds_nothing_to_add(empty_url: str) -> None:
    await migrate(empty_url)
    await run(empty_url, command.check)


async def test_the_migrated_schema_is_the_one_of_the_metadata(
    empty_url: str, database_url: str
) -> None:
    """Also what Alembic does not compare: checks, partial indexes, options, sequences."""
    target = ConnectTarget.from_url(empty_url)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"async_creator_fn": target.connect_raw},
        poolclass=NullPool,
    )
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    for statement in (COLUMNS, CONSTRAINTS, INDEXES, OPTIONS, SEQUENCES):
        assert await look(empty_url, statement) == await look(database_url, statement)


async def test_big_values_are_not_compressed_and_pages_keep_room_for_updates(
    database_url: str,
) -> None:
    storage = "select attstorage from pg_attribute where attrelid = 'object_row'::regclass "
    assert await look(database_url, storage + "and attname = 'value'") == [(b"e",)]
    assert await look(database_url, OPTIONS) == [
        ("admin_audit", ["fillfactor=80"]),
        ("admin_request", None),
        ("admin_token", None),
        ("cluster", None),
        ("history_account", None),
        ("import_row", None),
        ("namespace_setting", None),
        ("namespace_total", ["fillfactor=50"]),
        ("object", ["fillfactor=50"]),
        ("object_alarm", ["fillfactor=50"]),
        ("object_deletion", None),
        ("object_history", None),
        ("object_listing", None),
        ("object_row", ["fillfactor=70"]),
        ("object_tag", None),
        ("object_usage", None),
        ("worker", None),
    ]


async def test_a_commit_number_is_updated_in_place(database_url: str) -> None:
    """A heap-only update: no index names a column that a commit changes."""
    indexed = await look(
        database_url,
        "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid "
        "and a.attnum = any(i.indkey) where i.indrelid = 'object'::regclass",
    )
    assert indexed == [("object_id",)]


async def test_a_claim_of_an_alarm_is_an_update_in_place(database_url: str) -> None:
    indexed = await look(
        database_url,
        "select distinct a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid "
        "and a.attnum = any(i.indkey) where i.indrelid = 'object_alarm'::regclass order by 1",
    )
    assert indexed == [("due_at",), ("name",), ("next_attempt_at",), ("object_id",)]


async def test_a_database_of_the_first_release_is_migrated_with_what_is_in_it(
    empty_url: str,
) -> None:
    await run(empty_url, command.upgrade, "0001")
    with pytest.raises(MigrationMissing):
        await check_schema(empty_url)
    await look(
        empty_url,
        "insert into object (object_id, namespace, epoch, commit_seq) "
        "values (gen_random_uuid(), 'notes', 1, 1)",
    )
    await migrate(empty_url)
    await check_schema(empty_url)
    assert await look(empty_url, "select namespace, commit_seq from object") == [("notes", 1)]


async def test_the_cluster_key_is_made_once_and_is_random(
    empty_url: str, database_url: str
) -> None:
    await migrate(empty_url)
    statement = "select schema_version, id_key, octet_length(id_key) from cluster"
    first = await look(empty_url, statement)
    await migrate(empty_url)
    assert await look(empty_url, statement) == first
    assert first[0][0] == SCHEMA_VERSION
    assert first[0][2] == 32
    assert await look(database_url, statement) != first


async def test_a_cluster_has_one_row(empty_url: str) -> None:
    await migrate(empty_url)
    insert = (
        "insert into cluster (only_row, schema_version, id_key) select {}, 1, id_key from cluster"
    )
    for only_row in ("true", "false"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await look(empty_url, insert.format(only_row))


async def test_every_migration_can_be_undone_and_done_again(empty_url: str) -> None:
    await migrate(empty_url)
    made = await look(empty_url, COLUMNS)
    await run(empty_url, command.downgrade, "base")
    assert await look(empty_url, COLUMNS) == []
    assert await look(empty_url, SEQUENCES) == []
    with pytest.raises(MigrationMissing):
        await check_schema(empty_url)
    await migrate(empty_url)
    assert await look(empty_url, COLUMNS) == made


async def test_two_migrations_at_once_wait_for_one_another(empty_url: str) -> None:
    await asyncio.gather(migrate(empty_url), migrate(empty_url))
    await run(empty_url, command.downgrade, "base")
    code = (
        "import asyncio, sys; from app.store.migration import migrate; "
        "asyncio.run(migrate(sys.argv[1]))"
    )
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, empty_url, cwd=ROOT)
        for _ in range(2)
    ]
    assert [await process.wait() for process in processes] == [0, 0]
    assert await look(empty_url, "select version_num from alembic_version") == [(head_revision(),)]
    assert await look(empty_url, "select count(*) from cluster") == [(1,)]


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    await look(empty_url, "create table object_row (in_the_way int)")
    with pytest.raises(MigrationMissing) as caught:
        await migrate(empty_url)
    assert "undone" in str(caught.value)
    assert await look(empty_url, "select tablename from pg_tables where schemaname = 'public'") == [
        ("object_row",)
    ]


async def test_a_database_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(DatabaseUnreachable):
        await migrate("postgresql://me@127.0.0.1:1/rooms")


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_says_its_phase_and_bounds_its_waits(path: Path) -> None:
    assert re.fullmatch(r"\d{4}_(expand|contract)_[a-z0-9_]+", path.stem)
    source = path.read_text("utf-8")
    assert "SET LOCAL lock_timeout" in source
    assert "SET LOCAL statement_timeout" in source
    for function in ("upgrade", "downgrade"):
        first_line = re.search(rf"def {function}\(\) -> None:\n    (.*)\n", source)
        assert first_line is not None
        assert "timeout" in first_line.group(1)
    assert not re.search(r"^(from|import) (app|stateroom)\b", source, re.MULTILINE)
