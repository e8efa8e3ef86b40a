"""A frozen TinyBase room is read, takes nothing, and has everything again when it is thawed."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import ObjectFrozen
from app.core.values import Claim
from app.sdk.content import CONTENT_BYTES
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryObjectStates
from app.tinybase.content import get_values
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, hlc, values

CONTENT = '{"values":{"v":1}}'
BEFORE = '{"tables":{},"values":{"v":1}}'


class Seeded(Editor):
    def seed(self) -> None:
        self.set_value("seeded", value=True)


@pytest.fixture(params=["hub", "relay"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness(mounted(Editor, sync=request.param)) as harness:
        await stub(harness).replace_content([], CONTENT)
        yield harness


def stub(harness: ObjectHarness) -> TinyBaseRoom:
    return harness.stub(ROOM, "a", TinyBaseRoom)


async def set_frozen(harness: ObjectHarness, *, frozen: bool) -> None:
    states = MemoryObjectStates(harness.database)

    async def mark(claim: Claim) -> bool:
        return await states.set_frozen(claim, frozen=frozen)

    room = await harness.room(ROOM, "a")
    await room.life.freezing.set(mark, frozen=frozen)
    await harness.settle()


async def test_changes_are_neither_taken_nor_passed_on_and_nobody_is_closed(
    harness: ObjectHarness,
) -> None:
    alice, bob = await Peer.join(harness), await Peer.join(harness)
    await set_frozen(harness, frozen=True)
    alice.take(), bob.take()
    commits = len(harness.committer.committed)
    alice.tell(3, values({"v": [2, hlc(1)]}))
    alice.tell(3, cells("t", "r", {"c": [2, hlc(1)]}))
    alice.tell(2, [1, 2])
    await harness.settle()
    assert (alice.take(), bob.take()) == ([], [])
    assert (alice.socket.closed, bob.socket.closed) == (None, None)
    assert len(harness.committer.committed) == commits
    assert await stub(harness).read_content([], CONTENT_BYTES) == BEFORE


async def test_who_comes_to_a_frozen_room_reads_it(harness: ObjectHarness) -> None:
    await set_frozen(harness, frozen=True)
    reader = await ThinkingPeer.join(harness)
    await talk(harness, reader)
    assert get_values(reader.replica) == {"v": 1}
    assert reader.socket.closed is None


async def test_thawed_it_takes_what_clients_changed_meanwhile(harness: ObjectHarness) -> None:
    alice, bob = await ThinkingPeer.join(harness), await ThinkingPeer.join(harness)
    await talk(harness, alice, bob)
    await set_frozen(harness, frozen=True)
    await talk(harness, alice, bob)
    alice.change(values({"w": [2, hlc(1)]}))
    await talk(harness, alice, bob)
    assert get_values(bob.replica) == {"v": 1}
    await set_frozen(harness, frozen=False)
    await talk(harness, alice, bob)
    text = await stub(harness).read_content(["values"], CONTENT_BYTES)
    assert text == '{"v":1,"w":2}'
    await talk(harness, alice, bob)
    if harness.registry.namespaces.mount(ROOM).settings["sync"] == "hub":
        assert get_values(bob.replica) == {"v": 1, "w": 2}


async def test_changes_of_others_are_refused_and_undone(harness: ObjectHarness) -> None:
    await set_frozen(harness, frozen=True)
    alice = await Peer.join(harness)
    alice.take()
    for change in (
        stub(harness).patch_content([], '{"values":{"v":2}}'),
        stub(harness).import_content('{"values":{"v":2}}', "merge"),
        stub(harness).import_content("[[{}],[{}],1]", "merge"),
        stub(harness).delete_content([]),
    ):
        with pytest.raises(ObjectFrozen):
            await change
    assert await stub(harness).read_content([], CONTENT_BYTES) == BEFORE
    assert not [kind for kind in alice.kinds() if kind == ("S", 3)]
    assert alice.socket.closed is None


async def test_a_frozen_room_that_is_empty_is_not_seeded() -> None:
    async with ObjectHarness(mounted(Seeded)) as harness:
        await harness.store.claim(harness.object_id(ROOM, "a"), harness.membership.worker_id)
        states = MemoryObjectStates(harness.database)
        claim = await harness.store.claim(
            harness.object_id(ROOM, "a"), harness.membership.worker_id
        )
        assert await states.set_frozen(claim, frozen=True)
        assert await stub(harness).read_content(["values"], CONTENT_BYTES) == "{}"
        await set_frozen(harness, frozen=False)
        assert await stub(harness).read_content(["values"], CONTENT_BYTES) == '{"seeded":true}'


class Stubborn(Editor):
    async def insist(self) -> bool:
        """Whether an edit was refused, and left nothing behind."""
        before = self.get_json()
        try:
            self.set_cell("pets", "fido", "colour", "brown")
        except ObjectFrozen:
            return self.get_json() == before
        return False


async def test_who_catches_the_refusal_of_an_edit_finds_nothing_altered() -> None:
    async with ObjectHarness(mounted(Stubborn)) as harness:
        await set_frozen(harness, frozen=True)
        assert await harness.stub(ROOM, "a", Stubborn).insist()
