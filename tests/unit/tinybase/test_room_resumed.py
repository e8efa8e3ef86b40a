"""Clients whose former room is gone without their knowing: both sides get everything again."""

import pytest

from app.core.mounts import Mount
from app.sdk import Request
from app.testing.harness import ObjectHarness
from app.tinybase import large
from app.tinybase.questions import OPEN_QUESTIONS
from app.tinybase.replica import Replica
from app.tinybase.returning import COME_BACK, HELD_QUESTIONS, HELD_SECONDS
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.peers import ROOM, Frame, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc

_RESUMED = Request(resumed=True)
_MINE = cells("pets", "fido", {"species": ["dog", hlc(1)]})
_THEIRS = cells("pets", "felix", {"species": ["cat", hlc(2)]})


class Fragile(TinyBaseRoom):
    """Fails on a message to nobody."""

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        if to_client_id == "crash":
            raise RuntimeError("as asked")


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


async def test_no_question_is_answered_before_the_room_has_what_the_client_had() -> None:
    """An answer is a receipt for everything sent before, also for what the former room lost."""
    async with ObjectHarness(mounted()) as harness:
        peer = Peer(await harness.connect(ROOM, "a", request=_RESUMED), "")
        peer.tell(1, "", to="S", request_id="receipt")
        peer.tell(4, {}, to="S", request_id="tables")
        await harness.settle()
        (question,) = peer.take()
        assert (question.sender, question.kind) == ("S", 1)
        lost = filled(_MINE)
        peer.tell(0, list(lost.content_hashes()), to="S", request_id=question.id)
        await harness.settle()
        (question,) = peer.take()
        assert (question.sender, question.kind) == ("S", 4)
        harness.committer.hold()
        peer.tell(0, [_MINE[0], {}], to="S", request_id=question.id)
        await harness.settle()
        assert peer.take() == [], "not before it is committed"
        harness.committer.release()
        await harness.settle()
        answer, tables, news = peer.take()
        assert (answer.id, answer.body) == ("receipt", list(lost.content_hashes()))
        assert (tables.id, tables.kind) == ("tables", 0)
        assert (news.kind, news.body) == (2, list(lost.content_hashes()))


async def test_a_large_room_compares_beside_the_event_loop_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large, "LARGE_WEIGHT", -1)
    async with ObjectHarness(mounted()) as harness:
        writer = await ThinkingPeer.join(harness)
        writer.change(_THEIRS)
        await talk(harness, writer)
        peer = await resume(harness, filled(_MINE))
        peer.socket.say('S\n["receipt",1,""]')
        for _ in range(10):
            await harness.advance(0.01)
            await talk(harness, peer, writer)
        assert peer.replica.content_hashes() == filled(_MINE, _THEIRS).content_hashes()
        assert writer.replica.content_hashes() == peer.replica.content_hashes()
        assert [kind for sender, kind in peer.heard if sender == "S"].index(0) > 0


async def test_who_asks_but_does_not_let_itself_be_compared_with_is_sent_to_begin_anew() -> None:
    async with ObjectHarness(mounted()) as harness:
        mute = Peer(await harness.connect(ROOM, "a", request=_RESUMED), "")
        silent = Peer(await harness.connect(ROOM, "a", request=_RESUMED), "")
        mute.tell(1, "", to="S", request_id="receipt")
        await harness.advance(HELD_SECONDS - 1)
        before = mute.socket.closed
        await harness.advance(2)
        assert (before, mute.socket.closed, silent.socket.closed) == (None, COME_BACK, None)
        assert all(frame.kind == 1 for frame in mute.take()), "no answer"


async def test_held_questions_are_bounded() -> None:
    async with ObjectHarness(mounted()) as harness:
        mute = Peer(await harness.connect(ROOM, "a", request=_RESUMED), "")
        for number in range(HELD_QUESTIONS):
            mute.tell(1, "", to="S", request_id=f"Q{number}")
        await harness.settle()
        before = mute.socket.closed
        mute.tell(1, "", to="S", request_id="one more")
        await harness.settle()
        assert (before, mute.socket.closed) == (None, COME_BACK)


async def test_whoever_speaks_after_a_long_silence_is_compared_with_at_once() -> None:
    async with ObjectHarness(mounted()) as harness:
        peer = await resume(harness, filled(_MINE))
        await harness.advance(600.0)
        peer.socket.take()
        peer.socket.say('S\n["stale.one",0,[1,2]]')
        await talk(harness, peer)
        assert harness.stored(ROOM, "a")


@pytest.mark.parametrize("nap", [True, False])
async def test_the_room_remembers_whom_it_has_to_compare_with_over_its_sleep_and_its_faults(
    nap: bool,
) -> None:
    async with ObjectHarness(mounted(Fragile)) as harness:
        peer = Peer(await harness.connect(ROOM, "a", request=_RESUMED), "")
        room = harness.live_room(ROOM, "a")
        assert room is not None
        if nap:
            await harness.advance(600.0)
            assert not room.awake
        else:
            mallory = await Peer.join(harness)
            mallory.tell(1, "", to="crash")
            await harness.advance(1.0)
            assert harness.counted["object_faults"] == 1
        peer.take()
        peer.tell(1, "", to="S", request_id="receipt")
        heard: list[Frame] = []
        for _ in range(80):
            await harness.advance(0.2)
            for frame in peer.take():
                heard.append(frame)
                if frame.kind == 1:
                    peer.tell(0, [0, 0], to="S", request_id=frame.id)
        assert peer.socket.closed is None
        assert [frame.kind for frame in heard] == [1, 0, 2]
        assert heard[1].id == "receipt"


async def test_a_client_that_was_compared_with_is_one_like_any_other() -> None:
    async with ObjectHarness(mounted()) as harness:
        peer = await resume(harness, filled(_MINE))
        await talk(harness, peer)
        raw = Peer(peer.socket, "")
        raw.tell(1, "", to="S", request_id="receipt")
        await harness.settle()
        assert [frame.id for frame in raw.take()] == ["receipt"]
        room = harness.live_room(ROOM, "a")
        assert room is not None
        assert [member.tags for member in room.members] == [frozenset()]


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
