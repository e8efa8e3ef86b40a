"""TinyBase rooms from Python: subclasses that react to what is changed."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from app.core.errors import ConfigurationInvalid
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables, get_values
from app.tinybase.large import LARGE_CHARS
from app.tinybase.news import Changes
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc, values

_DELETED = "\ufffc"


class Listening(Editor):
    """Writes down what it is told."""

    told: ClassVar[list[Changes]] = []

    def on_changes(self, changes: Changes) -> None:
        self.told.append(changes)


class Moderating(Editor):
    """Masks a word, counts messages and notes who wrote the last one."""

    def on_changes(self, changes: Changes) -> None:
        for row in changes.in_table("chat", "text"):
            if "damn" in (text := str(row.new.get("text", ""))):
                self.set_cell("chat", row.row_id, "text", text.replace("damn", "****"))
        new = [row for row in changes.in_table("chat") if row.added]
        if new:
            self.set_value("count", lambda count: (count or 0) + len(new))
            self.set_value("by", changes.client_id)


@pytest.fixture(autouse=True)
def _nothing_told() -> Iterator[None]:
    Listening.told.clear()
    yield
    Listening.told.clear()


def _take() -> Changes:
    (changes,) = Listening.told
    Listening.told.clear()
    return changes


def _seen(changes: Changes) -> list[Any]:
    rows = [(row.table_id, row.row_id, row.old, row.new) for row in changes.rows]
    return [*rows, *((each.value_id, each.old, each.new) for each in changes.values)]


# -- what is told ------------------------------------------------------------------------------


async def test_a_subclass_is_told_what_a_client_added_changed_and_deleted() -> None:
    async with ObjectHarness(mounted(Listening)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["dog", hlc(1)], "age": [3, hlc(1)]}))
        first = _take()
        assert first.client_id == alice.id
        assert _seen(first) == [("pets", "fido", {}, {"species": "dog", "age": 3})]
        assert (first.rows[0].added, first.rows[0].deleted) == (True, False)
        bob.tell(
            3, cells("pets", "fido", {"age": [_DELETED, hlc(2)], "toys": ["\ufffd[1]", hlc(2)]})
        )
        (row,) = (second := _take()).rows
        assert second.client_id == bob.id
        assert (row.old, row.new) == (first.rows[0].new, {"species": "dog", "toys": [1]})
        assert (row.cell_ids, row.added, row.deleted) == (["toys", "age"], False, False)
        gone = {"species": [_DELETED, hlc(3)], "toys": [_DELETED, hlc(3)]}
        bob.tell(3, cells("pets", "fido", gone))
        assert [(row.deleted, row.cell_ids) for row in _take().rows] == [
            (True, ["species", "toys"])
        ]


async def test_a_subclass_is_told_of_values_too() -> None:
    async with ObjectHarness(mounted(Listening)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, values({"open": [None, hlc(1)]}))
        alice.tell(3, values({"open": [True, hlc(2)]}))
        alice.tell(3, values({"open": [_DELETED, hlc(3)]}))
        told = [change for changes in Listening.told for change in changes.values]
        assert [(each.old, each.new, each.added, each.deleted) for each in told] == [
            (None, None, True, False),
            (None, True, False, False),
            (True, None, False, True),
        ]


@pytest.mark.parametrize(
    "unseen",
    [
        cells("pets", "fido", {"species": ["cat", hlc(1)]}),
        cells("pets", "fido", {"species": ["dog", hlc(9)]}),
        cells("pets", "fido", {"none": [_DELETED, hlc(9)]}),
        values({"none": [_DELETED, hlc(9)]}),
        values({"list": ["\ufffd[1]", hlc(9)]}),
        [[{"new": [{}]}], [{}], 1],
    ],
    ids=["loses", "equal", "nothing deleted", "no value deleted", "equal list", "empty table"],
)
async def test_what_nobody_can_see_is_not_told(unseen: list[Any]) -> None:
    async with ObjectHarness(mounted(Listening)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["dog", hlc(5)]}))
        alice.tell(3, values({"list": ["\ufffd[1]", hlc(5)]}))
        Listening.told.clear()
        alice.tell(3, unseen)
        await harness.settle()
        assert Listening.told == []


async def test_true_is_another_value_than_one_in_a_list_too() -> None:
    async with ObjectHarness(mounted(Listening)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, cells("t", "r", {"a": [1, hlc(1)], "b": ["\ufffd[1]", hlc(1)]}))
        Listening.told.clear()
        alice.tell(3, cells("t", "r", {"a": [True, hlc(2)], "b": ["\ufffd[true]", hlc(2)]}))
        assert _take().rows[0].cell_ids == ["a", "b"]


async def test_the_rows_of_one_table_or_of_one_cell_can_be_picked() -> None:
    async with ObjectHarness(mounted(Listening)) as harness:
        alice = await Peer.join(harness)
        rows = {"a": [{"x": [1, hlc(1)]}], "b": [{"y": [1, hlc(2)]}]}
        alice.tell(3, [[{"t": [rows], "u": [rows]}], [{}], 1])
        changes = _take()
        assert [row.row_id for row in changes.in_table("t")] == ["a", "b"]
        assert [row.row_id for row in changes.in_table("u", "y")] == ["b"]
        assert changes.in_table("v") == []


async def test_a_large_message_is_told_as_a_small_one_is() -> None:
    async with ObjectHarness(mounted(Moderating)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, cells("chat", "1", {"text": ["damn " * LARGE_CHARS, hlc(1)]}))
        await harness.settle()
        assert [(frame.sender, frame.kind) for frame in bob.take()] == [("S", 3), (alice.id, 3)]
        text = await edit(harness, lambda room: room.get_cell("chat", "1", "text"))
        assert text == "**** " * LARGE_CHARS


async def test_what_is_pulled_from_a_client_is_told_as_its_own() -> None:
    async with ObjectHarness(mounted(Moderating)) as harness:
        bob = await ThinkingPeer.join(harness)
        offline = filled(cells("chat", "1", {"text": ["damn", hlc(1)], "x": [1, hlc(1)]}))
        alice = await ThinkingPeer.join(harness, offline)
        await talk(harness, alice, bob)
        expected = {"chat": {"1": {"text": "****", "x": 1}}}
        assert get_tables(alice.replica) == get_tables(bob.replica) == expected
        assert get_values(bob.replica)["count"] == 1
        assert get_values(bob.replica)["by"] == (await _ids(harness))[1]


async def _ids(harness: ObjectHarness) -> list[str]:
    found: list[str] = await edit(harness, lambda room: room.get_client_ids())
    return found


async def test_a_relay_with_a_replica_tells_it_as_a_hub_does() -> None:
    async with ObjectHarness(mounted(Moderating, sync="relay")) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        bob.take()
        alice.tell(3, cells("chat", "1", {"text": ["damn", hlc(1)]}))
        await harness.settle()
        assert bob.kinds()[-2:] == [("S", 3), (alice.id, 3)]


async def test_without_a_replica_nothing_is_told() -> None:
    async with ObjectHarness(mounted(Listening, durability="none")) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["dog", hlc(1)]}))
        await harness.settle()
        assert Listening.told == []


# -- what a reaction does ----------------------------------------------------------------------


async def test_what_a_reaction_edits_is_one_message_that_goes_out_before_the_change() -> None:
    async with ObjectHarness(mounted(Moderating)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        harness.committer.hold()
        alice.tell(3, cells("chat", "1", {"text": ["damn it", hlc(1)]}))
        await harness.settle()
        assert bob.take() == []
        harness.committer.commit_now()
        correction, change = bob.take()
        assert [(each.sender, each.kind) for each in (correction, change)] == [
            ("S", 3),
            (alice.id, 3),
        ]
        assert correction.body[0][0]["chat"][0]["1"][0]["text"][0] == "**** it"
        assert correction.body[1][0]["count"][0] == 1
        assert [(frame.sender, frame.kind) for frame in alice.take()] == [("S", 3)]
        assert len(harness.committer.committed) == 1


async def test_everybody_ends_with_the_corrected_content() -> None:
    async with ObjectHarness(mounted(Moderating)) as harness:
        alice = await ThinkingPeer.join(harness)
        bob = await ThinkingPeer.join(harness)
        for number in range(3):
            alice.change(cells("chat", f"a{number}", {"text": ["damn", hlc(number)]}))
            bob.change(cells("chat", f"b{number}", {"text": ["fine", hlc(number)]}))
            await talk(harness, alice, bob)
        carol = await ThinkingPeer.join(harness)
        await talk(harness, alice, bob, carol)
        texts = {row["text"] for row in get_tables(carol.replica)["chat"].values()}
        assert texts == {"****", "fine"}
        for peer in (alice, bob):
            assert peer.replica.content_hashes() == carol.replica.content_hashes()
        assert get_values(carol.replica)["count"] == 6


async def test_an_edit_in_python_is_told_without_a_client_and_its_reaction_joins_it() -> None:
    def step(room: Editor) -> str:
        with room.transaction():
            row_id = room.add_row("chat", {"text": "fine"})
            room.set_cell("chat", row_id, "text", "damn")
        return row_id

    async with ObjectHarness(mounted(Moderating)) as harness:
        alice = await Peer.join(harness)
        row_id = await edit(harness, step)
        (told,) = alice.take()
        assert told.body[0][0]["chat"][0][row_id][0]["text"][0] == "****"
        assert await edit(harness, lambda room: room.get_values()) == {"count": 1, "by": None}


async def test_what_a_reaction_edits_is_not_told_to_it() -> None:
    class Counting(Listening):
        def on_changes(self, changes: Changes) -> None:
            super().on_changes(changes)
            self.set_value("n", lambda n: (n or 0) + 1)

    async with ObjectHarness(mounted(Counting)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["dog", hlc(1)]}))
        await edit(harness, lambda room: room.set_cell("pets", "fido", "age", 1))
        assert [changes.client_id for changes in Listening.told] == [alice.id, None]
        assert await edit(harness, lambda room: room.get_value("n")) == 2


async def test_a_seed_is_not_told_and_what_comes_after_it_is() -> None:
    class Seeded(Listening):
        def seed(self) -> None:
            self.set_value("seeded", "yes")

    async with ObjectHarness(mounted(Seeded)) as harness:
        await edit(harness, lambda room: room.set_value("a", 1))
        assert [each.value_id for each in _take().values] == ["a"]


async def test_a_reaction_that_raises_undoes_the_change_and_only_its_sender_pays() -> None:
    class Strict(Editor):
        def on_changes(self, changes: Changes) -> None:
            self.set_value("half", "yes")
            if any(row.new.get("species") == "wolf" for row in changes.rows):
                raise ValueError("no wolves")

    async with ObjectHarness(mounted(Strict)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["wolf", hlc(1)]}))
        await harness.advance(1.0)
        assert alice.socket.closed == (1011, "object_fault")
        assert bob.socket.closed is None
        assert 3 not in [frame.kind for frame in bob.take()]
        read = await edit(harness, lambda room: room.get_content())
        assert read == ({}, {})


async def test_an_edit_in_python_whose_reaction_raises_is_taken_back() -> None:
    class Strict(Editor):
        def on_changes(self, changes: Changes) -> None:
            raise ValueError("never")

    def step(room: Editor) -> Any:
        with pytest.raises(ValueError, match="never"):
            room.set_value("a", 1)
        return room.get_values()

    async with ObjectHarness(mounted(Strict)) as harness:
        alice = await Peer.join(harness)
        assert await edit(harness, step) == {}
        assert alice.take() == []


async def test_the_connection_of_the_one_who_made_a_change_can_be_asked_for() -> None:
    class Closing(Editor):
        def on_changes(self, changes: Changes) -> None:
            client = self.get_client(changes.client_id or "")
            if client is not None:
                client.close(4001, f"{self.get_path_id()} {len(self.get_client_ids())}")

    async with ObjectHarness(mounted(Closing)) as harness:
        alice = await Peer.join(harness)
        await Peer.join(harness)
        alice.tell(3, values({"a": [1, hlc(1)]}))
        await harness.settle()
        assert alice.socket.closed == (4001, "a 2")


# -- what is refused ---------------------------------------------------------------------------


def test_a_hook_of_the_store_that_is_a_coroutine_is_refused_where_it_is_mounted() -> None:
    class Waiting(TinyBaseRoom):
        async def on_changes(self, changes: Changes) -> None:  # type: ignore[override]  # as a beginner may write it
            del changes

    with pytest.raises(ConfigurationInvalid, match="on_changes must be a plain function"):
        mounted(Waiting)


def test_a_room_that_would_run_several_events_at_once_is_refused_where_it_is_mounted() -> None:
    class Interleaving(TinyBaseRoom):
        interleave = True

    with pytest.raises(ConfigurationInvalid, match="one event at a time"):
        mounted(Interleaving)


@pytest.mark.parametrize("name", ["_take", "_clients", "_edits", "_say"])
def test_a_name_that_would_hide_one_of_the_rooms_own_is_refused_where_it_is_mounted(
    name: str,
) -> None:
    hiding = type("Hiding", (Editor,), {name: None})
    with pytest.raises(ConfigurationInvalid, match=name):
        mounted(hiding)
    mounted(type("Fine", (Editor,), {"_count": None, "get_row": None}))


async def test_a_class_that_does_not_listen_keeps_no_account_of_what_was() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, values({"a": [1, hlc(1)]}))
        tells = await edit(harness, lambda room: (room._listens, room._sync._tells))
        assert tells == (False, False)
