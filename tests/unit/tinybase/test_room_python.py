"""TinyBase rooms from Python: subclasses that seed, edit, watch and take part."""

from typing import Any

import pytest

from app.sdk import ObjectFault, Unsupported
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables, get_values
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, hlc

_CHANGE = cells("pets", "fido", {"species": ["dog", hlc(1)]})


# -- edits -------------------------------------------------------------------------------------


async def test_a_change_made_in_python_is_told_to_every_client_and_stored() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        await edit(harness, lambda room: room.set_cell("pets", "fido", "species", "dog"))
        told = alice.take()
        assert told == bob.take()
        assert [(frame.sender, frame.kind) for frame in told] == [("S", 3)]
        joiner = await ThinkingPeer.join(harness)
        await talk(harness, joiner)
        assert get_tables(joiner.replica) == {"pets": {"fido": {"species": "dog"}}}


async def test_changes_of_one_transaction_are_one_message() -> None:
    def step(room: Editor) -> None:
        with room.transaction():
            room.set_row("pets", "fido", {"species": "dog", "age": 3})
            with room.transaction():
                room.set_value("open", "yes")
            room.del_cell("pets", "fido", "age")

    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        await edit(harness, step)
        (told,) = alice.take()
        assert told.kind == 3
        assert await edit(harness, lambda room: (room.get_tables(), room.get_values())) == (
            {"pets": {"fido": {"species": "dog"}}},
            {"open": "yes"},
        )


async def test_setting_what_is_there_already_tells_and_stores_nothing() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        for _ in range(2):
            await edit(harness, lambda room: room.set_value("open", "yes"))
        assert alice.kinds() == [("S", 3)]
        assert len(harness.committer.committed) == 1


async def test_every_way_to_read_and_edit_the_store() -> None:
    def fill(room: Editor) -> None:
        room.set_tables({"pets": {"fido": {"species": "dog"}}, "old": {"r": {"c": 1}}})
        room.set_table("fruit", {"apple": {"red": True}, "pear": {"red": False}})
        room.set_row("pets", "rex", {"species": "dog", "age": 4})
        room.set_partial_row("pets", "rex", {"age": 5})
        room.set_cell("pets", "rex", "toys", ["ball", {"kind": "rope"}])
        room.set_values({"a": 1, "b": 2})
        room.set_partial_values({"c": None})

    def empty(room: Editor) -> None:
        room.del_table("old")
        room.del_row("fruit", "pear")
        room.del_cell("pets", "rex", "age")
        room.del_value("b")

    def read(room: Editor) -> list[Any]:
        return [
            room.get_tables(),
            room.get_table("fruit"),
            room.get_row("pets", "rex"),
            room.get_cell("pets", "rex", "toys"),
            room.get_cell("pets", "rex", "age", "none"),
            room.get_values(),
            room.get_value("a"),
            room.get_value("b", "none"),
            room.get_row("no", "row"),
        ]

    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, fill)
        await edit(harness, empty)
        rex = {"species": "dog", "toys": ["ball", {"kind": "rope"}]}
        expected = [
            {"pets": {"fido": {"species": "dog"}, "rex": rex}, "fruit": {"apple": {"red": True}}},
            {"apple": {"red": True}},
            rex,
            ["ball", {"kind": "rope"}],
            "none",
            {"a": 1, "c": None},
            1,
            "none",
            {},
        ]
        assert await edit(harness, read) == expected
        room = await harness.room(ROOM, "a")
        await room.hibernate()
        assert await edit(harness, read) == expected

        def clear(room: Editor) -> Any:
            room.del_tables()
            room.del_values()
            return room.get_tables(), room.get_values()

        assert await edit(harness, clear) == ({}, {})


async def test_a_client_wins_over_default_content_and_python_over_an_older_client() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, _CHANGE)
        await edit(
            harness,
            lambda room: room.set_default_content(
                {"pets": {"fido": {"species": "cat", "age": 1}}}, {"open": False}
            ),
        )
        read = await edit(harness, lambda room: (room.get_row("pets", "fido"), room.get_values()))
        assert read == ({"species": "dog", "age": 1}, {"open": False})
        await edit(harness, lambda room: room.set_cell("pets", "fido", "species", "wolf"))
        assert await edit(harness, lambda room: room.get_cell("pets", "fido", "species")) == "wolf"


async def test_an_edit_is_not_told_before_it_is_committed() -> None:
    async with ObjectHarness(mounted(EditingRoom)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        harness.committer.hold()
        alice.tell(3, _CHANGE)
        assert bob.take() == []
        harness.committer.commit_now()
        assert sorted(bob.kinds()) == [("S", 3), (alice.id, 3)]
        assert alice.kinds() == [("S", 3)]


class EditingRoom(TinyBaseRoom):
    """Counts the changes it hears of, in the store itself."""

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        del to_client_id, remainder
        if from_client_id != "S":
            self.set_value("changes", self.get_value("changes", 0) + 1)


async def test_what_an_event_edited_before_it_raised_is_gone_in_memory_too() -> None:
    def fail(room: Editor) -> None:
        room.set_value("open", "yes")
        try:
            with room.transaction():
                room.set_value("half", "yes")
                raise ZeroDivisionError
        finally:
            room.set_value("more", "yes")

    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        await edit(harness, lambda room: room.set_value("kept", 1))
        alice.take()
        with pytest.raises(ObjectFault):
            await edit(harness, fail)
        assert ("S", 3) not in alice.kinds()
        assert await edit(harness, lambda room: room.get_values()) == {"kept": 1}


async def test_without_a_replica_there_is_nothing_to_read_oredit() -> None:
    async with ObjectHarness(mounted(Editor, durability="none")) as harness:
        with pytest.raises(Unsupported, match="durability=none"):
            await edit(harness, lambda room: room.get_tables())
        with pytest.raises(Unsupported):
            await edit(harness, lambda room: room.set_value("a", 1))


# -- seed --------------------------------------------------------------------------------------


class Seeded(Editor):
    """A room that is not empty at first."""

    def seed(self) -> None:
        self.set_tables({"pets": {"fido": {"species": "dog"}}})
        self.set_value("seeded", "yes")


class SlowlySeeded(Editor):
    """A seed may read first."""

    async def seed(self) -> None:
        self.set_value("seeded", await self.ctx.storage.get("nothing", "yes"))


async def test_a_room_that_never_held_anything_is_seeded_once() -> None:
    async with ObjectHarness(mounted(Seeded)) as harness:
        joiner = await ThinkingPeer.join(harness)
        await talk(harness, joiner)
        assert get_tables(joiner.replica) == {"pets": {"fido": {"species": "dog"}}}
        assert get_values(joiner.replica) == {"seeded": "yes"}

        def empty(room: Editor) -> None:
            room.del_tables()
            room.del_values()

        await edit(harness, empty)
        room = await harness.room(ROOM, "a")
        await room.hibernate()
        assert await edit(harness, lambda room: room.get_values()) == {}


async def test_a_seed_may_be_a_coroutine() -> None:
    async with ObjectHarness(mounted(SlowlySeeded)) as harness:
        assert await edit(harness, lambda room: room.get_values()) == {"seeded": "yes"}
