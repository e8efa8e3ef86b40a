"""Expand, then contract: the release before works on the schema of the releases after it.

Workers are upgraded one by one on a schema that is new already. So a later migration may add, and
may take nothing away that an earlier release names: each recorded statement of such a release
(`recorded`) is prepared on its own schema and on today's, and must take and give the same types;
and what its statements do not name must have a default.
"""

from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from alembic import command

from app.store.migration import head_revision, migrate
from tests.migrations import recorded
from tests.migrations.test_migrations import COLUMNS, CONSTRAINTS, look, run

RECORDED = sorted((Path(__file__).parent / "statements").glob("*.sql"))
TRIGGERS = "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal"

Shape: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


async def shapes(url: str, statements: list[str]) -> dict[str, Shape | str]:
    """What each statement takes and gives, or why it cannot be prepared."""
    connection = await asyncpg.connect(url)
    try:
        return {statement: await shape(connection, statement) for statement in statements}
    finally:
        await connection.close()


async def shape(connection: Any, statement: str) -> Shape | str:
    try:
        prepared = await connection.prepare(statement)
    except asyncpg.PostgresError as error:
        return str(error)
    return (
        tuple(each.name for each in prepared.get_parameters()),
        tuple((each.name, each.type.name) for each in prepared.get_attributes()),
    )


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
async def test_every_statement_of_an_earlier_release_means_the_same_on_todays_schema(
    empty_url: str, file: Path
) -> None:
    statements = recorded.read(file)
    await run(empty_url, command.upgrade, file.stem)
    before = await shapes(empty_url, statements)
    assert not [each for each in before.values() if isinstance(each, str)]
    assert {"object", "object_row", "worker"} <= set(" ".join(statements).split())
    await migrate(empty_url)
    assert await shapes(empty_url, statements) == before


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
async def test_later_migrations_add_nothing_that_an_earlier_release_would_have_to_know(
    empty_url: str, file: Path
) -> None:
    await run(empty_url, command.upgrade, file.stem)
    columns, bounds = await look(empty_url, COLUMNS), await look(empty_url, CONSTRAINTS)
    triggers = await look(empty_url, TRIGGERS)
    await migrate(empty_url)
    tables = {column[0] for column in columns}

    def of_old_tables(rows: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
        return {row for row in rows if row[0] in tables}

    now = of_old_tables(await look(empty_url, COLUMNS))
    assert set(columns) <= now, "a column went, or changed its type, its default or its nullness"
    assert [new for new in now - set(columns) if new[4] and new[5] is None] == []
    assert of_old_tables(await look(empty_url, CONSTRAINTS)) <= set(bounds), "a new constraint"
    assert of_old_tables(await look(empty_url, TRIGGERS)) <= set(triggers), "a new trigger"


async def test_a_schema_that_took_something_away_is_noticed(empty_url: str) -> None:
    statements = recorded.read(RECORDED[-1])
    await migrate(empty_url)
    whole = await shapes(empty_url, statements)
    for taken in (
        "alter table object drop column history_from",
        "alter table object_alarm alter column due_at type text",
    ):
        await look(empty_url, taken)
        changed = await shapes(empty_url, statements)
        assert changed != whole, taken
        whole = changed


def test_a_release_before_todays_schema_is_recorded() -> None:
    assert [file for file in RECORDED if file.stem < head_revision()]
