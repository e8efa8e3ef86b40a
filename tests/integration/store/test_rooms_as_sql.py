"""Rooms as SQL: the guide's examples, what the views leave out, and how they find one room."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.core.ids import ObjectIds
from app.core.storage_codec import encode_value
from tests.property.store.stored_rooms import store_room
from tests.unit.tinybase.replicas import cells, filled, values

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "rooms-as-sql.md"
EXAMPLES = re.findall(
    r"```sql\n(.*?)\n```(?:\n\n```text\n(.*?)\n```)?", GUIDE.read_text("utf-8"), re.DOTALL
)
ROLE = "reporting"


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A database with the rooms that the guide speaks of; what is made in it is undone."""
    opened = await asyncpg.connect(database_url)
    undone = opened.transaction()
    await undone.start()
    try:
        await fill(opened)
        yield opened
    finally:
        await undone.rollback()
        await opened.close()


async def ids_of(connection: Any) -> ObjectIds:
    return ObjectIds(await connection.fetchval("select id_key from cluster"))


async def fill(connection: Any) -> None:
    ids = await ids_of(connection)
    rooms = {
        "shops/berlin": filled(
            cells("orders", "o1", {"item": ["tea"], "price": [3.5], "paid": [False]}),
            cells("orders", "o2", {"item": ["cake"], "price": [4], "gone": ["\ufffc"]}),
            cells("orders", "o3", {"item": ["\ufffc"]}),
            values({"city": ["Berlin"], "gone": ["\ufffc"]}),
        ),
        "shops/paris": filled(
            cells(
                "orders",
                "o1",
                {"item": ["wine"], "price": [9.25], "paid": [True], "tags": ['\ufffd["gift"]']},
            ),
            values({"city": ["Paris"]}),
        ),
    }
    for name, replica in rooms.items():
        await store_room(connection, ids.from_name("tinybase", name).uuid, name, replica)


async def test_the_examples_of_the_guide_say_what_the_guide_says(connection: Any) -> None:
    assert len(EXAMPLES) >= 6
    for statement, told in EXAMPLES:
        if not told:
            await connection.execute(statement)
            continue
        rows = await connection.fetch(statement)
        assert ["\t".join(map(str, row)) for row in rows] == told.splitlines()
    ours = await connection.fetch("select item, price::float, paid from reports.orders order by 2")
    assert [tuple(row) for row in ours] == [
        ("tea", 3.5, False),
        ("cake", 4.0, False),
        ("wine", 9.25, True),
    ]


async def test_a_role_for_reports_reads_the_views_and_nothing_below(connection: Any) -> None:
    (grants,) = (statement for statement, _ in EXAMPLES if "create role" in statement)
    await connection.execute(grants)
    await connection.execute(f"set local role {ROLE}")
    one = "select count(*) from tinybase_rows where object_id = room_id('tinybase', 'shops/paris')"
    assert await connection.fetchval(one) == 1
    for table in ("object", "object_row", "cluster", "worker"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.fetch(f"table {table}")


async def test_the_id_of_a_room_is_the_one_that_the_service_derives(connection: Any) -> None:
    ids = await ids_of(connection)
    for namespace, name in (("tinybase", "a"), ("n", ""), ("ü", "名前/b"), ("t", "x" * 1024)):
        made = await connection.fetchval("select room_id($1, $2)", namespace, name)
        assert made == ids.from_name(namespace, name).uuid


async def test_neither_a_deleted_room_nor_foreign_rows_are_shown(connection: Any) -> None:
    await connection.execute("update object set deleted_at = now() where name = 'shops/berlin'")
    paris = (await ids_of(connection)).from_name("tinybase", "shops/paris").uuid
    foreign = {
        b'~r"t","no json"': encode_value(b"[{"),
        b'~r"t","no stamp"': encode_value(b"7"),
        b'~r"t","no value"': b"",
        b'~r"t","not bytes"': encode_value({"a": 1}),
        b'~r"t","not text"': encode_value(b'[{"a":["\xff"]}]'),
        b'~r"t","too deep"': encode_value(b"[" * 100_000),
        b'~r\xff"': encode_value(b"[{}]"),
        b"~r": encode_value(b"[{}]"),
        b"~rsomething else": encode_value(b"[{}]"),
        b"~r" + b"0" * 64: encode_value(b"no ids"),
        b'~v"': encode_value(b"[1]"),
        b'~v"v"': encode_value(b"+3\n[1"),
    }
    await connection.executemany(
        "insert into object_row (object_id, key, value) values ($1, $2, $3)",
        [(paris, *each) for each in foreign.items()],
    )
    rows = await connection.fetch("select room, table_id, row_id from tinybase_rows")
    assert [tuple(row) for row in rows] == [("shops/paris", "orders", "o1")]
    shown = await connection.fetch("select room, value_id from tinybase_values")
    assert [tuple(row) for row in shown] == [("shops/paris", "city")]


async def test_one_room_is_found_by_its_key_alone(connection: Any) -> None:
    await connection.execute(
        "insert into object (object_id, namespace, name, epoch) "
        "select gen_random_uuid(), 'tinybase', 'room ' || n, 1 from generate_series(1, 3000) n"
    )
    await connection.execute(
        "insert into object_row select object_id, '~r\"t\",\"r\"', '\\x005b7b7d5d' from object "
        "where name like 'room %'"
    )
    await connection.execute("analyze object; analyze object_row")
    for view in ("tinybase_rows", "tinybase_values"):
        plan = await connection.fetch(
            f"explain select * from {view} "  # noqa: S608 - one of the two above
            "where object_id = room_id('tinybase', 'room 7')"
        )
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan" not in text
        assert "object_pkey" in text
        assert "object_row_pkey" in text
