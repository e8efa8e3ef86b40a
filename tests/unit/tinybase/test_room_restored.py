"""A TinyBase room goes back to what it was, and its clients follow."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from app.core.storage_codec import decode_value
from app.testing.harness import ObjectHarness
from app.tinybase.news import Changes
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import ROOM, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, hlc, values


class Kept:
    """What a room had stored at some time; a `Past` made of a harness."""

    bookmark = "then"
    made_at = datetime(2024, 1, 1, tzinfo=UTC)

    def __init__(self, harness: ObjectHarness) -> None:
        stored = harness.stored(ROOM, "a")
        self.rows = {key.decode(): decode_value(row) for key, row in sorted(stored.items())}

    async def get(self, key: str, default: Any = None) -> Any:
        return self.rows.get(key, default)

    async def list(self, **bounds: Any) -> dict[str, Any]:
        start, end = bounds.get("start") or "", bounds.get("end")
        return {
            key: row for key, row in self.rows.items() if key >= start and (not end or key < end)
        }

    async def stream(self, *, prefix: str | None = None) -> AsyncIterator[tuple[str, Any]]:
        for key, row in self.rows.items():
            if key.startswith(prefix or ""):
                yield key, row


async def restore(harness: ObjectHarness, kept: Kept) -> None:
    await harness.settle()
    stub = harness.stub(ROOM, "a")
    await harness.run_in_room(stub, lambda room, _ctx: room.on_restore(kept))
    await harness.settle()


async def contents(harness: ObjectHarness) -> Any:
    return await edit(harness, lambda room: room.get_content())


async def test_what_came_later_goes_and_what_went_comes_back_with_new_stamps() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        client = await ThinkingPeer.join(harness)
        client.change(cells("pets", "fido", {"age": [3, hlc(1)], "toys": ["\ufffd[1]", hlc(1)]}))
        client.change(values({"open": [True, hlc(2)]}))
        await talk(harness, client)
        before, kept = await contents(harness), Kept(harness)
        client.change(cells("pets", "fido", {"age": ["\ufffc", hlc(3)], "new": [1, hlc(3)]}))
        client.change(cells("pets", "rex", {"age": [4, hlc(4)]}))
        client.change(cells("fruit", "apple", {"red": [True, hlc(4)]}))
        client.change(values({"open": [False, hlc(5)], "shut": [1, hlc(5)]}))
        await talk(harness, client)
        await restore(harness, kept)
        await talk(harness, client)
        assert await contents(harness) == before
        hashes = await edit(harness, lambda room: room.get_mergeable_content_hashes())
        assert client.replica.content_hashes() == hashes
        await harness.evict(harness.stub(ROOM, "a"), close_sockets=True)
        assert await contents(harness) == before


async def test_a_client_that_was_away_does_not_bring_back_what_was_undone() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, lambda room: room.set_value("v", 1))
        kept = Kept(harness)
        await edit(harness, lambda room: room.set_value("v", 2))
        await edit(harness, lambda room: room.set_value("w", 3))
        away = await ThinkingPeer.join(harness)
        await talk(harness, away)
        away.socket.leave()
        await restore(harness, kept)
        back = await ThinkingPeer.join(harness, away.replica)
        await talk(harness, back)
        assert (await contents(harness))[1] == {"v": 1}


async def test_restoring_what_is_there_changes_nothing() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, lambda room: room.set_row("t", "r", {"c": {"deep": [1.5]}}))
        kept, commits = Kept(harness), len(harness.committer.committed)
        await restore(harness, kept)
        assert len(harness.committer.committed) == commits


async def test_keys_of_a_subclass_are_put_back_too() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        await edit(harness, lambda room: room.ctx.storage.put("mine", {"n": 1}))
        await edit(harness, lambda room: room.ctx.storage.put("\u007flast", 1))
        await edit(harness, lambda room: room.set_value("v", 1))
        kept = Kept(harness)
        await edit(harness, lambda room: room.ctx.storage.put("mine", {"n": 2}))
        await edit(harness, lambda room: room.ctx.storage.delete("\u007flast"))
        await edit(harness, lambda room: room.ctx.storage.put("later", 1))
        await restore(harness, kept)
        assert Kept(harness).rows == kept.rows


class Counting(Editor):
    told: ClassVar[list[Changes]] = []

    def on_changes(self, changes: Changes) -> None:
        self.told.append(changes)
        self.set_value("rows", self.get_row_count("t"))


async def test_the_class_hears_of_it_and_may_correct_it() -> None:
    async with ObjectHarness(mounted(Counting)) as harness:
        kept = Kept(harness)
        await edit(harness, lambda room: room.set_row("t", "r", {"c": 1}))
        Counting.told.clear()
        await restore(harness, kept)
        (told,) = Counting.told
        assert [(row.row_id, row.deleted) for row in told.rows] == [("r", True)]
        assert await contents(harness) == ({}, {"rows": 0})


async def test_a_relay_has_nothing_to_restore() -> None:
    async with ObjectHarness(mounted(durability="none")) as harness:
        await ThinkingPeer.join(harness)
        await restore(harness, Kept(harness))
        assert await harness.stub(ROOM, "a", TinyBaseRoom).read_content([], 100) is None


async def test_any_moment_of_a_random_history_comes_back() -> None:
    chance = random.Random(5)
    async with ObjectHarness(mounted(Editor)) as harness:
        client = await ThinkingPeer.join(harness)
        moments: list[tuple[Kept, Any]] = []
        for _ in range(40):
            await edit(harness, lambda room: _change(room, chance))
            moments.append((Kept(harness), await contents(harness)))
        for kept, content in chance.sample(moments, 20):
            await restore(harness, kept)
            assert await contents(harness) == content
            await talk(harness, client)
            hashes = await edit(harness, lambda room: room.get_mergeable_content_hashes())
            assert client.replica.content_hashes() == hashes


def _change(room: Editor, chance: random.Random) -> None:
    table, row, cell = (chance.choice("abc") for _ in range(3))
    match chance.randrange(6):
        case 0:
            room.del_row(table, row)
        case 1:
            room.del_table(table)
        case 2:
            room.set_partial_values({cell: chance.choice([1, True, None, "x", [1]])})
        case 3:
            room.del_value(cell)
        case _:
            room.set_cell(table, row, cell, chance.choice([1, 1.5, True, None, "x", {"y": [1]}]))
