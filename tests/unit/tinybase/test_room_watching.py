"""TinyBase rooms from Python: subclasses that watch and take part."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from app.sdk import Connection, Request
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, hlc

_CHANGE = cells("pets", "fido", {"species": ["dog", hlc(1)]})


class Watching(TinyBaseRoom):
    """The subclass example of TinyBase's guide to Durable Objects, line by line."""

    seen: ClassVar[list[tuple[Any, ...]]] = []

    def on_path_id(self, path_id: str, change: int) -> None:
        self.seen.append(("path", path_id, change))

    def on_client_id(self, path_id: str, client_id: str, change: int) -> None:
        self.seen.append(("client", path_id, client_id, change))

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        self.seen.append(("message", from_client_id, to_client_id, remainder))

    def client_ids(self) -> list[str]:
        return [connection.id for connection in self.ctx.connections()]

    @classmethod
    def take(cls) -> list[tuple[Any, ...]]:
        taken = list(cls.seen)
        cls.seen.clear()
        return taken


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    Watching.seen.clear()
    yield
    Watching.seen.clear()


async def test_a_subclass_hears_who_comes_and_goes_in_the_order_of_the_reference() -> None:
    async with ObjectHarness(mounted(Watching)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.socket.leave()
        await harness.settle()
        bob.socket.leave()
        await harness.settle()
        assert Watching.take() == [
            ("path", "a", 1),
            ("client", "a", alice.id, 1),
            ("client", "a", bob.id, 1),
            ("client", "a", alice.id, -1),
            ("client", "a", bob.id, -1),
            ("path", "a", -1),
        ]


async def test_a_subclass_hears_every_message_before_it_is_sent_the_replicas_own_too() -> None:
    async with ObjectHarness(mounted(Watching)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        Watching.take()
        alice.tell(3, _CHANGE)
        alice.tell(1, "", to=bob.id)
        alice.tell(1, "", to="S")
        await harness.settle()
        told = [(who, to, remainder[:7]) for _, who, to, remainder in Watching.take()]
        assert told == [
            (alice.id, "", '["T",3,'),
            (alice.id, bob.id, '["T",1,'),
            ("S", alice.id, '["T",0,'),
        ]


async def test_a_subclass_that_watches_is_told_of_those_who_went_while_it_slept() -> None:
    async with ObjectHarness(mounted(Watching)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        await harness.advance(4.0)
        room = await harness.room(ROOM, "a")
        await room.hibernate()
        assert not room.awake
        Watching.take()
        alice.socket.leave()
        bob.socket.leave()
        await harness.settle()
        told = [entry for entry in Watching.take() if entry[0] != "message"]
        assert sorted(told) == [
            ("client", "a", alice.id, -1),
            ("client", "a", bob.id, -1),
            ("path", "a", -1),
        ]


def test_only_a_subclass_that_watches_is_woken_for_it() -> None:
    class Quiet(Watching):
        wakes_on_close: ClassVar[bool] = False

    assert Watching.wakes_on_close
    assert not Quiet.wakes_on_close
    assert not Editor.wakes_on_close
    assert not TinyBaseRoom.wakes_on_close


async def test_a_client_that_ends_while_the_room_starts_is_not_kept() -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        await harness.advance(2.0)
        room = await harness.room(ROOM, "a")
        await room.hibernate()
        alice.tell(1, "", to="S")
        bob.socket.leave()
        await harness.settle()
        assert await edit(harness, lambda room: len(room._clients)) == 1


async def test_a_hook_that_raises_undoes_its_event_and_only_its_sender_pays() -> None:
    class Strict(Editor):
        def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
            del from_client_id, to_client_id
            if "wolf" in remainder:
                raise ValueError("no wolves")

    async with ObjectHarness(mounted(Strict)) as harness:
        alice = await ThinkingPeer.join(harness)
        bob = await ThinkingPeer.join(harness)
        carol = await Peer.join(harness)
        await talk(harness, alice, bob)
        alice.change(_CHANGE)
        await talk(harness, alice, bob)
        carol.tell(3, cells("pets", "fido", {"species": ["wolf", hlc(9)]}))
        await harness.advance(1.0)
        await talk(harness, alice, bob)
        assert carol.socket.closed == (1011, "object_fault")
        assert alice.socket.closed is bob.socket.closed is None
        assert get_tables(bob.replica) == {"pets": {"fido": {"species": "dog"}}}
        read = await edit(harness, lambda room: room.get_tables())
        assert read == {"pets": {"fido": {"species": "dog"}}}


async def test_after_a_failed_event_what_a_client_had_announced_is_pulled_all_the_same() -> None:
    class Fragile(Editor):
        def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
            del from_client_id, remainder
            if to_client_id == "crash":
                raise RuntimeError("as asked")

    async with ObjectHarness(mounted(Fragile)) as harness:
        alice = await ThinkingPeer.join(harness)
        alice.replica.merge(_CHANGE)
        alice.socket.take()
        mallory = await Peer.join(harness)
        mallory.tell(1, "", to="crash")
        await talk(harness, alice)
        read = await edit(harness, lambda room: room.get_tables())
        assert read == {"pets": {"fido": {"species": "dog"}}}


async def test_a_subclass_may_use_the_rest_of_the_platform_too() -> None:
    class Greeting(TinyBaseRoom):
        def on_connect(self, connection: Connection, request: Request) -> None:
            super().on_connect(connection, request)
            if "denied" in request.query:
                connection.close(4003, "not here")

    async with ObjectHarness(mounted(Greeting)) as harness:
        refused = await harness.connect(ROOM, "a", request=Request(query="denied"))
        assert refused.closed == (4003, "not here")


@pytest.mark.parametrize("rows", [1, 20_000], ids=["small", "large"])
async def test_a_plain_hook_that_calls_super_keeps_a_relay_asking_its_first_client(
    rows: int,
) -> None:
    class Greeting(Editor):
        def on_connect(self, connection: Connection, request: Request) -> None:
            super().on_connect(connection, request)

    def fill(room: Editor) -> None:
        room.set_table("t", {str(number): {"c": number} for number in range(rows)})

    async with ObjectHarness(mounted(Greeting, sync="relay")) as harness:
        await edit(harness, fill)
        alice = await Peer.join(harness)
        await harness.advance(0.5)
        assert alice.kinds()[:2] == [("S", 1), ("S", 2)]
