"""TinyBase rooms from Python: what a store can be asked, transactions, and being an object."""

from contextlib import suppress
from typing import Any

import pytest

from app.sdk import AlarmInfo, MethodUnknown, Request, Response, RoomAborted
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables, get_values
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, hlc

PETS = {
    "fido": {"species": "dog", "age": 3},
    "felix": {"species": "cat", "age": 5},
    "cujo": {"species": "dog", "age": 4, "bites": True},
}


# -- asking ------------------------------------------------------------------------------------


async def test_everything_that_a_store_can_be_asked() -> None:
    def ask(room: Editor) -> dict[str, Any]:
        room.set_content({"pets": PETS, "gone": {"r": {"c": 1}}}, {"open": None})
        room.del_table("gone")
        return {
            "table ids": room.get_table_ids(),
            "row ids": room.get_row_ids("pets"),
            "row count": room.get_row_count("pets"),
            "cell ids": room.get_cell_ids("pets", "cujo"),
            "table cell ids": room.get_table_cell_ids("pets"),
            "value ids": room.get_value_ids(),
            "has": [
                room.has_tables(),
                room.has_table("pets"),
                room.has_row("pets", "fido"),
                room.has_cell("pets", "cujo", "bites"),
                room.has_table_cell("pets", "bites"),
                room.has_values(),
                room.has_value("open"),
            ],
            "has not": [
                room.has_table("gone"),
                room.has_row("pets", "rex"),
                room.has_cell("pets", "fido", "bites"),
                room.has_table_cell("pets", "wings"),
                room.has_value("closed"),
            ],
            "content": room.get_content(),
            "rows": list(room.each_row("pets")) + list(room.each_row("none")),
        }

    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, ask) == {
            "table ids": ["pets"],
            "row ids": ["fido", "felix", "cujo"],
            "row count": 3,
            "cell ids": ["species", "age", "bites"],
            "table cell ids": ["species", "age", "bites"],
            "value ids": ["open"],
            "has": [True] * 7,
            "has not": [False] * 5,
            "content": ({"pets": PETS}, {"open": None}),
            "rows": list(PETS.items()),
        }


async def test_an_empty_store_has_nothing() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, lambda room: (room.has_tables(), room.has_values())) == (
            False,
            False,
        )


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, ["cujo", "felix", "fido"]),
        ({"cell_id": "age"}, ["fido", "cujo", "felix"]),
        ({"cell_id": "age", "descending": True}, ["felix", "cujo", "fido"]),
        ({"cell_id": "age", "offset": 1, "limit": 1}, ["cujo"]),
        ({"cell_id": "species"}, ["felix", "fido", "cujo"]),
        ({"cell_id": "bites"}, ["fido", "felix", "cujo"]),
    ],
)
async def test_rows_can_be_sorted(how: dict[str, Any], expected: list[str]) -> None:
    def ask(room: Editor) -> list[str]:
        room.set_table("pets", PETS)
        return room.get_sorted_row_ids("pets", **how)

    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, ask) == expected


async def test_values_of_any_kind_can_be_sorted_together() -> None:
    mixed = {"a": "x", "b": 2, "c": True, "d": [1], "e": None, "f": 1.5, "g": {"k": 1}}

    def ask(room: Editor) -> list[str]:
        room.set_table("t", {row_id: {"c": value} for row_id, value in mixed.items()})
        return room.get_sorted_row_ids("t", "c")

    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, ask) == ["e", "c", "f", "b", "a", "d", "g"]


async def test_content_goes_out_and_in_as_json() -> None:
    def step(room: Editor) -> tuple[str, Any]:
        room.set_content({"t": {"r": {"c": [1, {"a": None}]}}}, {"v": 1.5})
        text = room.get_json()
        room.set_json('[{"u":{"r":{"c":true}}},{"w":"x"}]')
        return text, room.get_content()

    def empty(room: Editor) -> Any:
        room.set_content({}, {})
        return room.get_content()

    def wrong(room: Editor) -> None:
        for text in ("{}", "[{}]", "[1,2]", "no JSON"):
            with pytest.raises(ValueError, match=r"JSON|json|column"):
                room.set_json(text)

    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, step) == (
            '[{"t":{"r":{"c":[1,{"a":null}]}}},{"v":1.5}]',
            ({"u": {"r": {"c": True}}}, {"w": "x"}),
        )
        await edit(harness, wrong)
        assert await edit(harness, empty) == ({}, {})


async def test_the_hashes_are_those_of_a_client_with_the_same_content() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, lambda room: room.set_tables({"pets": PETS}))
        joiner = await ThinkingPeer.join(harness)
        await talk(harness, joiner)
        hashes = await edit(harness, lambda room: room.get_mergeable_content_hashes())
        content = await edit(harness, lambda room: room.get_mergeable_content())
        assert hashes == joiner.replica.content_hashes()
        assert [content[0][2], content[1][2]] == list(hashes)


# -- changing ----------------------------------------------------------------------------------


async def test_a_row_is_added_under_an_id_that_nobody_else_makes() -> None:
    def add(room: Editor) -> list[str]:
        return [room.add_row("pets", {"species": "dog"}) for _ in range(3)]

    async with ObjectHarness(mounted(Editor)) as harness:
        ids = await edit(harness, add)
        assert len(set(ids)) == 3
        assert {len(row_id) for row_id in ids} == {16}
        assert await edit(harness, lambda room: room.get_row_ids("pets")) == ids


async def test_a_cell_and_a_value_can_be_made_from_what_they_were() -> None:
    def step(room: Editor) -> None:
        for _ in range(2):
            room.set_cell("pets", "fido", "age", lambda age: (age or 0) + 1)
            room.set_value("count", lambda count: (count or 10) + 1)

    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, step)
        read = await edit(harness, lambda room: room.get_content())
        assert read == ({"pets": {"fido": {"age": 2}}}, {"count": 12})


async def test_more_than_a_message_can_hold_is_asked_for_by_every_client() -> None:
    def fill(room: Editor) -> None:
        room.set_table("t", {str(number): {"c": "x" * 100_000} for number in range(60)})

    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await ThinkingPeer.join(harness)
        bob = await Peer.join(harness)
        await talk(harness, alice)
        await edit(harness, fill)
        await harness.advance(0.5)
        assert [(frame.sender, frame.kind) for frame in bob.take()] == [("S", 2)]
        for _ in range(10):
            await talk(harness, alice)
            await harness.advance(0.1)
        assert await edit(harness, lambda room: room.get_mergeable_content_hashes()) == (
            alice.replica.content_hashes()
        )


# -- transactions ------------------------------------------------------------------------------


async def test_a_transaction_that_raises_changes_and_tells_nothing() -> None:
    def step(room: Editor) -> Any:
        with suppress(ZeroDivisionError), room.transaction():
            room.set_row("pets", "rex", {"species": "wolf"})
            room.del_row("pets", "fido")
            room.set_value("open", "yes")
            raise ZeroDivisionError
        return room.get_content()

    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, lambda room: room.set_tables({"pets": PETS}))
        alice = await Peer.join(harness)
        commits = len(harness.committer.committed)
        assert await edit(harness, step) == ({"pets": PETS}, {})
        assert alice.take() == []
        assert len(harness.committer.committed) == commits


async def test_a_transaction_can_be_taken_back_and_go_on() -> None:
    def step(room: Editor) -> Any:
        with room.transaction() as transaction:
            room.set_value("a", 1)
            transaction.rollback()
            room.set_value("b", 2)
        with pytest.raises(RuntimeError, match="has ended"):
            transaction.rollback()
        return room.get_values()

    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        assert await edit(harness, step) == {"b": 2}
        (told,) = alice.take()
        assert list(told.body[1][0]) == ["b"]


async def test_a_nested_transaction_is_taken_back_alone_or_with_the_outer_one() -> None:
    def step(room: Editor) -> Any:
        with room.transaction() as outer:
            room.set_value("a", 1)
            with suppress(ZeroDivisionError), room.transaction():
                room.set_value("a", 2)
                room.set_value("b", 2)
                raise ZeroDivisionError
            between = room.get_values()
            with room.transaction():
                room.set_value("a", 3)
            outer.rollback()
            room.set_value("c", 4)
        return between, room.get_values()

    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, step) == ({"a": 1}, {"c": 4})


async def test_one_call_with_a_value_that_no_cell_can_hold_changes_nothing() -> None:
    def step(room: Editor) -> Any:
        with pytest.raises(TypeError, match="set"):
            room.set_tables({"a": {"r": {"c": 1}}, "b": {"r": {"c": {1}}}})
        return room.get_tables()

    async with ObjectHarness(mounted(Editor)) as harness:
        assert await edit(harness, step) == {}


async def test_what_was_taken_back_in_memory_is_not_in_storage_either() -> None:
    def step(room: Editor) -> None:
        with room.transaction() as transaction:
            room.set_cell("t", "r", "c", "x" * 3_000_000)
            transaction.rollback()
            room.set_cell("t", "r", "d", 1)

    def read(room: Editor) -> Any:
        return room.get_tables()

    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, lambda room: room.set_cell("t", "r", "c", "y" * 3_000_000))
        await edit(harness, step)
        before = await edit(harness, read)
        await harness.rest(ROOM, "a")
        assert await edit(harness, read) == before == {"t": {"r": {"c": "y" * 3_000_000, "d": 1}}}


# -- the rest of an object ---------------------------------------------------------------------


class Whole(TinyBaseRoom):
    """Alarms, requests, methods and keys of its own, all of which change the store."""

    async def on_start(self) -> None:
        await super().on_start()
        self.starts = await self.ctx.storage.get("starts", 0) + 1
        self.ctx.storage.put("starts", self.starts)
        self.ctx.storage.put("n", "a key of one letter")
        self.ctx.storage.put("r" + "0" * 64, "a key like a digest")

    async def on_alarm(self, info: AlarmInfo) -> None:
        self.set_value("alarm", self.get_value("alarm", 0) + 1)

    async def on_request(self, request: Request) -> Response:
        if request.path == "/alarm":
            await self.ctx.storage.set_alarm(self.ctx.now() + 60_000)
        self.set_value("request", request.path)
        return Response.json(self.get_values())

    async def add(self, number: int) -> int:
        self.set_value("sum", lambda before: (before or 0) + number)
        total: int = self.get_value("sum")
        return total

    async def own_keys(self) -> list[str]:
        return list(await self.ctx.storage.list(end="~"))

    async def forget(self) -> None:
        await self.ctx.storage.delete_all()
        await self.ctx.storage.sync()
        self.ctx.abort("forgotten")

    async def seed(self) -> None:
        self.set_value("seeded", value=True)


@pytest.mark.parametrize("rests", [False, True], ids=["awake", "resting"])
async def test_alarms_requests_and_methods_change_the_store_for_every_client(rests: bool) -> None:
    async with ObjectHarness(mounted(Whole)) as harness:

        async def rest() -> None:
            if rests:
                await harness.advance(2.0)
                await harness.rest(ROOM, "a")

        alice = await ThinkingPeer.join(harness)
        await talk(harness, alice)
        await rest()
        assert await harness.stub(ROOM, "a").add(2) == 2
        await rest()
        assert await harness.stub(ROOM, "a").add(3) == 5
        await rest()
        await harness.request(ROOM, "a", Request(path="/alarm"))
        await rest()
        await harness.advance(61.0)
        await talk(harness, alice)
        assert get_values(alice.replica) == {
            "seeded": True,
            "sum": 5,
            "request": "/alarm",
            "alarm": 1,
        }
        assert (await harness.stub(ROOM, "a").own_keys()) == ["n", "r" + "0" * 64, "starts"]


async def test_the_keys_of_a_subclass_are_not_loaded_as_rows_nor_kept_from_being_seeded() -> None:
    async with ObjectHarness(mounted(Whole)) as first:
        await first.stub(ROOM, "a").add(1)
    async with ObjectHarness(mounted(Whole), database=first.database) as second:
        response = await second.request(ROOM, "a", Request(path="/"))
        assert response.body == b'{"seeded":true,"sum":1,"request":"/"}'
        assert second.contents(ROOM, "a")["starts"] == 2


async def test_the_seed_of_a_room_is_no_method_to_be_called() -> None:
    async with ObjectHarness(mounted(Whole)) as harness:
        with pytest.raises(MethodUnknown, match="is a hook"):
            await harness.stub(ROOM, "a").seed()


async def test_a_room_can_be_forgotten_whole_and_begins_anew() -> None:
    async with ObjectHarness(mounted(Whole)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["dog", hlc(1)]}))
        await harness.settle()
        with pytest.raises(RoomAborted, match="forgotten"):
            await harness.stub(ROOM, "a").forget()
        await harness.settle()
        assert alice.socket.closed is not None
        joiner = await ThinkingPeer.join(harness)
        await talk(harness, joiner)
        assert get_tables(joiner.replica) == {}
        assert get_values(joiner.replica) == {"seeded": True}
