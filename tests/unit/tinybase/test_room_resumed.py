"""Clients whose former room is gone without their knowing: both sides get everything again."""

import pytest

from app.core.mounts import Mount
from app.sdk import Request
from app.testing.harness import ObjectHarness
from app.tinybase.questions import OPEN_QUESTIONS
from app.tinybase.replica import Replica
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc

_RESUMED = Request(resumed=True)
_MINE = cells("pets", "fido", {"species": ["dog", hlc(1)]})
_THEIRS = cells("pets", "felix", {"species": ["cat", hlc(2)]})


async def resume(harness: ObjectHarness, content: Replica | None = None) -> ThinkingPeer:
    """Join as a channel does that lost its room."""
    return ThinkingPeer(await harness.connect(ROOM, "a", request=_RESUMED), content)


async def test_what_only_the_client_has_is_pulled_at_once_and_stored() -> None:
    async with ObjectHarness(mounted()) as harness:
        peer = await resume(harness, filled(_MINE))
        await talk(harness, peer)
        assert harness.stored(ROOM, "a")


async def test_what_only_the_room_has_is_pulled_by_the_client() -> None:
    async with ObjectHarness(mounted()) as harness:
        writer = await ThinkingPeer.join(harness)
        writer.change(_THEIRS)
        await talk(harness, writer)
        peer = await resume(harness)
        await talk(harness, peer, writer)
        assert peer.replica.content_hashes() == writer.replica.content_hashes()


async def test_two_that_resume_get_each_others_changes_whoever_comes_first() -> None:
    async with ObjectHarness(mounted()) as harness:
        early = await resume(harness, filled(_MINE))
        await talk(harness, early)
        late = await resume(harness, filled(_THEIRS))
        await talk(harness, early, late)
        assert early.replica.content_hashes() == late.replica.content_hashes()
        assert early.replica.content_hashes() == filled(_MINE, _THEIRS).content_hashes()


async def test_more_than_may_be_asked_at_once_are_all_asked_in_the_end() -> None:
    count = OPEN_QUESTIONS + 20
    async with ObjectHarness(mounted()) as harness:
        peers = [
            await resume(harness, filled(cells("t", f"r{number}", {"c": [1, hlc(number + 1)]})))
            for number in range(count)
        ]
        await talk(harness, *peers)
        assert len({peer.replica.content_hashes() for peer in peers}) > 1
        await harness.advance(0.5)
        await talk(harness, *peers)
        assert len({peer.replica.content_hashes() for peer in peers}) == 1


@pytest.mark.parametrize("mounts", [mounted(sync="relay"), mounted(durability="none")])
async def test_a_room_whose_clients_compare_among_themselves_sends_them_to_begin_anew(
    mounts: dict[str, Mount],
) -> None:
    async with ObjectHarness(mounts) as harness:
        resumed = Peer(await harness.connect(ROOM, "a", request=_RESUMED), "")
        assert resumed.socket.closed == (1012, "service restart")
        assert not resumed.socket.let_go_by_object
