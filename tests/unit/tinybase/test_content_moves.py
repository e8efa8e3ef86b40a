"""Content that moves into a room and out of it."""

import json  # noqa: TID251 - reads what a room gives out
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from app.sdk.content import CONTENT_BYTES, NO_CONTENT, NOT_EMPTY
from app.testing.harness import ObjectHarness
from app.tinybase.content import export_content, get_tables, get_values
from app.tinybase.foreign import replica_of
from app.tinybase.news import Changes
from app.tinybase.replica import Replica
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import ROOM, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc, values

PLAIN = {"tables": {"t": {"r": {"c": 1, "n": None}}}, "values": {"v": [1]}}
CHANGES: list[Any] = [
    [{"t": [{"r": [{"c": [1, hlc(1)], "d": ["\ufffc", hlc(2)]}]}]}],
    [{"v": [True, hlc(3)]}],
    1,
]


class Watched(Editor):
    told: ClassVar[list[Changes]] = []

    def on_changes(self, changes: Changes) -> None:
        self.told.append(changes)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Watched.told.clear()
    async with ObjectHarness(mounted(Watched)) as harness:
        yield harness


async def take(harness: ObjectHarness, content: Any, mode: str) -> str | None:
    stub = harness.stub(ROOM, "a", TinyBaseRoom)
    return await stub.import_content(json.dumps(content), mode)


async def whole(stub: TinyBaseRoom, form: str) -> str:
    part = await stub.export_content(form, "", CONTENT_BYTES)
    assert part is not None
    assert part[1] == ""
    return part[0]


async def hashes(harness: ObjectHarness) -> tuple[int, int]:
    found: tuple[int, int] = await edit(harness, lambda room: room.get_mergeable_content_hashes())
    return found


async def contents(harness: ObjectHarness) -> Any:
    return list(await edit(harness, lambda room: room.get_content()))


@pytest.mark.parametrize("mode", ["if-empty", "replace", "merge"])
async def test_in_an_empty_room_stamps_stay_and_a_client_that_has_them_finds_equal_hashes(
    harness: ObjectHarness, mode: str
) -> None:
    assert await take(harness, CHANGES, mode) is None
    assert await hashes(harness) == replica_of(CHANGES).content_hashes()
    (told,) = Watched.told
    assert [row.new for row in told.rows] == [{"c": 1}]
    await harness.evict(harness.stub(ROOM, "a"))
    assert await hashes(harness) == replica_of(CHANGES).content_hashes()


@pytest.mark.parametrize("content", [CHANGES, PLAIN])
async def test_if_empty_leaves_a_room_with_content_alone(
    harness: ObjectHarness, content: Any
) -> None:
    await edit(harness, lambda room: room.set_value("mine", 1))
    assert await take(harness, content, "if-empty") == NOT_EMPTY
    assert await contents(harness) == [{}, {"mine": 1}]


async def test_what_was_all_deleted_is_empty_and_does_not_overrule_the_import(
    harness: ObjectHarness,
) -> None:
    await edit(harness, lambda room: room.set_cell("t", "r", "c", 7))
    await edit(harness, lambda room: room.del_tables())
    assert await take(harness, CHANGES, "if-empty") is None
    assert await contents(harness) == [{"t": {"r": {"c": 1}}}, {"v": True}]


async def test_a_merge_lets_the_later_stamp_win_and_keeps_the_rest(
    harness: ObjectHarness,
) -> None:
    await edit(harness, lambda room: room.set_content({"t": {"r": {"c": 7, "e": 8}}}, {"w": 9}))
    assert await take(harness, CHANGES, "merge") is None
    assert await contents(harness) == [{"t": {"r": {"c": 7, "e": 8}}}, {"v": True, "w": 9}]


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (CHANGES, [{"t": {"r": {"c": 1}}}, {"v": True}]),
        (PLAIN, [PLAIN["tables"], PLAIN["values"]]),
        ({}, [{}, {}]),
    ],
)
async def test_replacing_leaves_exactly_the_import_and_clients_follow(
    harness: ObjectHarness, content: Any, result: Any
) -> None:
    client = await ThinkingPeer.join(harness)
    client.change(cells("t", "r", {"c": [7, hlc(50)], "e": [8, hlc(50)]}))
    client.change(cells("u", "r", {"c": [7, hlc(50)]}))
    client.change(values({"w": [1, hlc(51)]}))
    await talk(harness, client)
    assert await take(harness, content, "replace") is None
    await talk(harness, client)
    assert await contents(harness) == result
    assert [get_tables(client.replica), get_values(client.replica)] == result
    assert client.replica.content_hashes() == await hashes(harness)


async def test_plain_content_is_added_cell_by_cell(harness: ObjectHarness) -> None:
    await edit(harness, lambda room: room.set_content({"t": {"r": {"c": 7, "e": 8}}}, {"w": 9}))
    assert await take(harness, PLAIN, "merge") is None
    assert await contents(harness) == [
        {"t": {"r": {"c": 1, "e": 8, "n": None}}},
        {"v": [1], "w": 9},
    ]


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (CHANGES, "overwrite", "the mode must be one of"),
        ([[{}], [[]], 1], "merge", "no content with stamps"),
        ({"tables": {"t": 1}}, "merge", "tables/t is a number"),
        ([[{}], [{"v": [1, hlc(10**12)]}], 1], "merge", "future"),
        (7, "merge", "not an object"),
    ],
)
async def test_what_cannot_be_taken_is_refused_whole(
    harness: ObjectHarness, content: Any, mode: str, problem: str
) -> None:
    assert problem in str(await take(harness, content, mode))
    assert await contents(harness) == [{}, {}]
    assert Watched.told == []


async def test_text_that_is_no_json_is_refused(harness: ObjectHarness) -> None:
    stub = harness.stub(ROOM, "a", TinyBaseRoom)
    assert "no JSON" in str(await stub.import_content("[", "merge"))


async def test_what_goes_out_comes_in_again_with_equal_hashes(harness: ObjectHarness) -> None:
    await take(harness, CHANGES, "merge")
    stub = harness.stub(ROOM, "a", TinyBaseRoom)
    mergeable = json.loads(await whole(stub, "mergeable"))
    assert mergeable == export_content(filled(CHANGES))
    assert replica_of([*mergeable, 1]).content_hashes() == await hashes(harness)
    content = json.loads(await whole(stub, "content"))
    assert content == [{"t": {"r": {"c": 1}}}, {"v": True}]
    assert await stub.export_content("yaml", "", CONTENT_BYTES) is None


async def test_a_large_import_is_told_to_clients_bit_by_bit(harness: ObjectHarness) -> None:
    client = await ThinkingPeer.join(harness)
    await talk(harness, client)
    rows = {str(row): [{"c": ["x" * 1_000, hlc(row)]}] for row in range(5_000)}
    assert await take(harness, [[{"big": [rows]}], [{}], 1], "if-empty") is None
    for _ in range(50):
        await harness.advance(1.0)
        await hashes(harness)
        await talk(harness, client)
    assert client.replica.content_hashes() == await hashes(harness)


async def test_a_relay_takes_and_gives_nothing() -> None:
    async with ObjectHarness(mounted(durability="none")) as harness:
        assert await take(harness, PLAIN, "merge") == NO_CONTENT
        assert await harness.stub(ROOM, "a", TinyBaseRoom).export_content("content", "", 9) is None


def test_a_replica_of_changes_may_lie_in_the_future() -> None:
    assert isinstance(replica_of([[{}], [{"v": [1, hlc(10**12)]}], 1]), Replica)
