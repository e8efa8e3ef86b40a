"""Usage in Postgres: rankings walk their index, and old days go step by step."""

import pytest

from app.core.usage import Usage, UsageMeasure, UsedObject
from app.store.database import Database
from app.store.usage import PostgresUsageBook, top_statement

_MANY = """
insert into object_usage
select gen_random_uuid(), (clock_timestamp() at time zone 'UTC')::date - n % 3, 'notes', null,
       n, n, n, n, n, n, n, n, n, n, n, n, n
from generate_series(1, 30000) n
"""
_OLD = """
insert into object_usage
select gen_random_uuid(), (clock_timestamp() at time zone 'UTC')::date - $1::int, 'notes', null,
       1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
from generate_series(1, $2) n
"""


@pytest.mark.parametrize("measure", UsageMeasure)
async def test_a_ranking_walks_the_index_of_its_measure(
    database: Database, measure: UsageMeasure
) -> None:
    await database.fetch(_MANY)
    await database.fetch("analyze object_usage")
    plan = await database.fetch(f"explain {top_statement(measure)}", 20)
    text = "\n".join(row[0] for row in plan)
    assert f"object_usage_{measure.field}_idx" in text, text
    assert "Sort" not in text, text
    assert "Seq Scan" not in text, text


async def test_days_that_are_too_old_go_and_the_others_stay(database: Database) -> None:
    book = PostgresUsageBook(database)
    for age, rows in ((6, 3), (7, 5), (8, 2)):
        await database.fetch(_OLD, age, rows)
    await book.add([UsedObject(database.object_ids.from_name("notes", "a"), Usage(events=1))])
    assert [await book.prune(days=7, limit=4) for _ in range(3)] == [4, 3, 0]
    (left,) = await database.fetch("select count(*) from object_usage")
    assert left[0] == 3 + 1


async def test_an_object_has_a_row_for_each_day_the_newest_first(database: Database) -> None:
    book = PostgresUsageBook(database)
    object_id = database.object_ids.from_name("notes", "a")
    await book.add([UsedObject(object_id, Usage(events=1))])
    await database.fetch("update object_usage set day = day - 1")
    await book.add([UsedObject(object_id, Usage(events=2))])
    days = await book.days(object_id, days=7)
    assert [each.usage.events for each in days] == [2, 1]
    assert days[0].day > days[1].day
    assert len(await book.days(object_id, days=1)) == 1
