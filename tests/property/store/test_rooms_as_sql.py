"""What the views show of random rooms is what the rooms themselves say of their content."""

import asyncio
import re
from typing import Any
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sdk.json import js_stringify, parse_json
from app.tinybase import layout
from app.tinybase.content import JSON_PREFIX, get_tables, get_values
from app.tinybase.replica import Replica
from tests.property.store.stored_rooms import store_room
from tests.property.tinybase.strategies import CHANGES, JSON, ODD_TEXT
from tests.unit.tinybase.replicas import cells, filled, values

ROOMS = st.lists(
    st.lists(
        st.one_of(
            CHANGES,
            st.builds(
                lambda table_id, row_id, leaves: cells(
                    table_id, row_id, {each: [value] for each, value in leaves.items()}
                ),
                ODD_TEXT,
                st.one_of(ODD_TEXT, st.just("long" * 300), st.just("#000001")),
                st.dictionaries(
                    ODD_TEXT, JSON.map(js_stringify).map(JSON_PREFIX.__add__), max_size=3
                ),
            ),
            ODD_TEXT.map(lambda value_id: values({value_id: [0.5]})),
        ),
        max_size=4,
    ),
    min_size=1,
    max_size=12,
)


def shown(value: Any) -> Any:
    """A value as SQL can hold it, and numbers as the doubles they are."""
    match value:
        case bool():
            return value
        case int() | float():
            return float(value)
        case str():
            return re.sub("[\ud800-\udfff\0]", "␀", value)
        case list():
            return [shown(each) for each in value]
        case dict():
            return {shown(key): shown(each) for key, each in value.items()}
    return value


async def seen(connection: Any, number: int) -> tuple[Any, Any]:
    """The content of a room, put together from the views."""
    tables: dict[str, Any] = {}
    for row in await connection.fetch(
        "select * from tinybase_rows where namespace = 'tinybase' and room = $1", f"room {number}"
    ):
        tables.setdefault(row["table_id"], {})[row["row_id"]] = shown(parse_json(row["cells"]))
    values_of_room = await connection.fetch(
        "select * from tinybase_values where object_id = $1", UUID(int=number)
    )
    return tables, {row["value_id"]: shown(parse_json(row["value"])) for row in values_of_room}


async def compare(url: str, replicas: list[Replica]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("truncate object, object_row")
        stored = [
            await store_room(connection, UUID(int=number), f"room {number}", replica)
            for number, replica in enumerate(replicas)
        ]
        for number, replica in enumerate(stored):
            tables, values_of_room = await seen(connection, number)
            assert tables == shown(get_tables(replica))
            assert values_of_room == shown(get_values(replica))
    finally:
        await connection.close()


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rooms=ROOMS)
def test_the_views_show_what_the_rooms_hold(database_url: str, rooms: list[list[Any]]) -> None:
    asyncio.run(compare(database_url, [filled(*changes) for changes in rooms]))


async def test_a_row_that_is_stored_in_pieces_is_shown_whole(
    database_url: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(layout, "CHUNK_BYTES", 7)
    await compare(
        database_url,
        [
            filled(
                cells("t", "r#00001", {"c": ["a long text, é, of which seven bytes fit"]}),
                cells("t", "r", {"c": ["\ufffd" + js_stringify({"a": [1, "\0\\u0000"]})]}),
                cells("long" * 300, "x", {"c": ["also under a digest"]}),
                values({"v": ["and a value"], "gone": ["\ufffc"]}),
            )
        ],
    )
