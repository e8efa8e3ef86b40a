"""What a TinyBase room leaves behind when it goes: nothing that has to be searched for."""

import gc
import weakref

from app.testing.harness import ObjectHarness
from tests.unit.tinybase.peers import ROOM, Peer, mounted
from tests.unit.tinybase.replicas import cells, hlc


async def test_the_content_is_freed_with_the_room_and_does_not_wait_for_the_collector() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        alice.tell(3, cells("pets", "fido", {"species": ["dog", hlc(1)]}))
        await harness.settle()
        room = harness.live_room(ROOM, "a")
        assert room is not None
        assert room._residence.instance is not None
        instance = weakref.ref(room._residence.instance)
        del room
        gc.collect()
        gc.disable()
        try:
            alice.socket.leave()
            await harness.advance(120)
            assert harness.live_room(ROOM, "a") is None
            assert instance() is None
        finally:
            gc.enable()
