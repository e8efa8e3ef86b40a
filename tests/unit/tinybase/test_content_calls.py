"""A room's content read and changed as JSON by others."""

import json  # noqa: TID251 - what callers outside would do
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from app.sdk import JsonContent
from app.sdk.content import CONTENT_BYTES
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables, get_values
from app.tinybase.news import Changes
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk

_TABLES = {"pets": {"fido": {"age": 3, "toys": ["ball"]}, "rex": {"age": 4}}}
_CONTENT = {"tables": _TABLES, "values": {"open": True, "none": None}}


class Watched(TinyBaseRoom):
    told: ClassVar[list[Changes]] = []

    def on_changes(self, changes: Changes) -> None:
        self.told.append(changes)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Watched.told.clear()
    async with ObjectHarness(mounted(Watched)) as harness:
        await replace(harness, [], _CONTENT)
        Watched.told.clear()
        yield harness


def stub(harness: ObjectHarness) -> JsonContent:
    return harness.stub(ROOM, "a", TinyBaseRoom)


async def replace(harness: ObjectHarness, path: list[str], content: Any) -> None:
    assert await stub(harness).replace_content(path, json.dumps(content)) is None


async def patch(harness: ObjectHarness, path: list[str], content: Any) -> None:
    assert await stub(harness).patch_content(path, json.dumps(content)) is None


async def read(harness: ObjectHarness, path: list[str]) -> Any:
    text = await stub(harness).read_content(path, CONTENT_BYTES)
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ([], _CONTENT),
        (["tables"], _TABLES),
        (["tables", "pets"], _TABLES["pets"]),
        (["tables", "pets", "rex"], {"age": 4}),
        (["tables", "pets", "fido", "toys"], ["ball"]),
        (["values"], {"open": True, "none": None}),
        (["values", "open"], True),
        (["tables", "fruit"], None),
        (["tables", "pets", "tom"], None),
        (["tables", "pets", "rex", "toys"], None),
        (["values", "shut"], None),
        (["else"], None),
    ],
)
async def test_each_part_is_read_as_json(
    harness: ObjectHarness, path: list[str], content: Any
) -> None:
    assert await read(harness, path) == content


async def test_a_text_over_the_limit_ends_a_little_behind_it(
    harness: ObjectHarness,
) -> None:
    await replace(harness, ["tables", "big"], {str(row): {"c": "é" * 1000} for row in range(100)})
    text = await stub(harness).read_content([], 5_000)
    assert text is not None
    assert 5_000 < len(text.encode()) < 5_010


async def test_a_patch_deletes_merges_and_leaves_the_rest_in_one_message(
    harness: ObjectHarness,
) -> None:
    await replace(harness, ["tables", "gone"], {"r": {"c": 1}})
    alice = await Peer.join(harness)
    await patch(
        harness,
        [],
        {
            "tables": {
                "pets": {"fido": {"age": None, "name": {"first": "Fido", "last": None}}},
                "gone": None,
                "empty": {"row": {}},
            },
            "values": {"open": None, "new": [1, None]},
        },
    )
    assert alice.kinds() == [("S", 3)]
    assert await read(harness, []) == {
        "tables": {
            "pets": {"fido": {"toys": ["ball"], "name": {"first": "Fido"}}, "rex": {"age": 4}}
        },
        "values": {"none": None, "new": [1, None]},
    }


async def test_a_patch_of_an_object_in_a_cell_goes_into_it(harness: ObjectHarness) -> None:
    fido = ["tables", "pets", "fido"]
    await patch(harness, fido, {"name": {"first": "Fido", "title": "Sir"}})
    await patch(harness, fido, {"name": {"title": None, "last": "Dog"}})
    assert await read(harness, [*fido, "name"]) == {"first": "Fido", "last": "Dog"}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (["tables"], {"fruit": {"apple": {"red": True}}}),
        (["tables", "pets"], {"tom": {"age": 1}}),
        (["tables", "pets", "fido"], {"age": 9}),
        (["tables", "pets", "fido", "age"], None),
        (["values"], {"new": 1}),
        (["values", "open"], None),
    ],
)
async def test_replacing_a_part_leaves_exactly_that(
    harness: ObjectHarness, path: list[str], content: Any
) -> None:
    before = await read(harness, [])
    await replace(harness, path, content)
    assert await read(harness, path) == content
    after = await read(harness, [])
    for part in path[:-1]:
        before, after = before[part], after[part]
    assert {**before, path[-1]: content} == after


@pytest.mark.parametrize("path", [[], ["tables"], ["tables", "pets"], ["values"]])
async def test_replacing_a_part_by_nothing_deletes_it(
    harness: ObjectHarness, path: list[str]
) -> None:
    await replace(harness, path, {})
    assert await read(harness, path) in (None, {}, {"tables": {}, "values": {}})


@pytest.mark.parametrize(
    "path",
    [
        [],
        ["tables"],
        ["tables", "pets"],
        ["tables", "pets", "fido"],
        ["tables", "pets", "fido", "age"],
        ["values"],
        ["values", "none"],
    ],
)
async def test_what_is_deleted_is_gone_and_was_there_only_once(
    harness: ObjectHarness, path: list[str]
) -> None:
    assert await stub(harness).delete_content(path)
    assert not await stub(harness).delete_content(path)
    assert await read(harness, path) in (None, {}, {"tables": {}, "values": {}})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"tables": {"pets": {"fido": {"age": NaN}}}}',
        '{"tables": {"pets": {"fido": {"age": 1e999}}}}',
        '{"tables": {"new": {"r": {"c": 1}}, "pets": {"fido": 7}}}',
        '{"values": {"new": 1, "open": "\\ufffc"}}',
    ],
)
async def test_what_is_wrong_is_refused_whole_and_harms_nobody(
    harness: ObjectHarness, text: str
) -> None:
    alice = await Peer.join(harness)
    commits = len(harness.committer.committed)
    assert await stub(harness).patch_content([], text)
    assert await stub(harness).replace_content([], text)
    assert await read(harness, []) == _CONTENT
    assert (alice.take(), alice.socket.closed) == ([], None)
    assert len(harness.committer.committed) == commits


async def test_clients_and_the_class_are_told_and_hashes_agree(harness: ObjectHarness) -> None:
    client = await ThinkingPeer.join(harness)
    await talk(harness, client)
    await patch(harness, ["tables", "pets", "rex"], {"age": 5})
    await talk(harness, client)
    (told,) = Watched.told
    (row,) = told.rows
    assert (row.old, row.new) == ({"age": 4}, {"age": 5})
    assert get_tables(client.replica)["pets"]["rex"] == {"age": 5}
    assert get_values(client.replica) == _CONTENT["values"]
    hashes = await harness.run_in_room(
        harness.stub(ROOM, "a"), lambda room, _ctx: room.get_mergeable_content_hashes()
    )
    assert client.replica.content_hashes() == hashes


async def test_much_at_once_is_done_beside_the_event_loop(harness: ObjectHarness) -> None:
    rows = {str(row): {"c": "x" * 200} for row in range(5_000)}
    await replace(harness, ["tables", "big"], rows)
    await patch(harness, ["tables", "big"], {"7": {"c": None, "d": 1}, "8": None})
    big = await read(harness, ["tables", "big"])
    assert (len(big), big["7"]) == (4_999, {"d": 1})
    assert await stub(harness).delete_content(["tables", "big"])
    assert await read(harness, []) == _CONTENT


async def test_a_class_may_call_it_inside_a_transaction_of_its_own(harness: ObjectHarness) -> None:
    async def step(room: Watched) -> None:
        with room.transaction():
            room.set_value("open", value=False)
            await room.patch_content(["values"], '{"new": 1}')

    alice = await Peer.join(harness)
    await harness.run_in_room(harness.stub(ROOM, "a"), lambda room, _ctx: step(room))
    await harness.settle()
    assert alice.kinds() == [("S", 3)]
    assert await read(harness, ["values"]) == {"open": False, "none": None, "new": 1}


async def test_a_relay_has_no_content() -> None:
    async with ObjectHarness(mounted(durability="none")) as harness:
        assert await read(harness, []) is None
        assert await stub(harness).patch_content([], "{}")
        assert not await stub(harness).delete_content([])
