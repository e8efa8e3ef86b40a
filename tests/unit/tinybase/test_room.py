"""A TinyBase room on the engine: who gets what, and when."""

import pytest

from app.sdk import Request
from app.sdk.json import parse_json
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables, get_values
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc, values

_CHANGE = cells("pets", "fido", {"species": ["dog", hlc(1)]})
_MALFORMED = (1007, "tinybase:14")


# -- a hub -------------------------------------------------------------------------------------


async def test_a_change_is_passed_on_byte_for_byte_and_kept() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        text = '["T",3, [[{"pets":[{"fido":[{"species":["dog","' + hlc(1) + '"]}]}]}],[{}],1]]'
        alice.socket.say("\n" + text)
        await harness.settle()
        assert bob.socket.take() == [f"{alice.id}\n{text}"]
        assert alice.take() == []
        assert harness.stored(ROOM, "a")


async def test_a_join_is_answered_by_the_replica_and_nobody_else_hears_of_it() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, _CHANGE)
        await harness.settle()
        bob.take()
        carol = await Peer.join(harness)
        carol.tell(1, "", request_id="Q")
        carol.tell(2, [0, 0], request_id="H")
        await harness.settle()
        answer, question = carol.take()
        assert (answer.sender, answer.id, answer.kind) == ("S", "Q", 0)
        assert answer.body == list(filled(_CHANGE).content_hashes())
        assert (question.sender, question.kind) == ("S", 4)
        assert str(question.id).startswith("H.")
        assert alice.take() == bob.take() == []


async def test_a_message_to_one_client_reaches_that_one_also_in_a_hub() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice, bob, carol = [await Peer.join(harness) for _ in range(3)]
        alice.tell(1, "", to=bob.id, request_id="Q")
        alice.tell(1, "", to="nobody")
        alice.tell(1, "", to=alice.id, request_id="self")
        await harness.settle()
        assert [(frame.sender, frame.id) for frame in bob.take()] == [(alice.id, "Q")]
        assert [(frame.sender, frame.id) for frame in alice.take()] == [(alice.id, "self")]
        assert carol.take() == []


async def test_what_is_said_to_the_replica_is_for_the_replica_alone() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, _CHANGE, to="S")
        alice.tell(4, {}, to="S", request_id="Q")
        await harness.settle()
        assert bob.take() == []
        assert alice.take()[0].body == [_CHANGE[0], {}]


async def test_what_the_replica_learns_by_pulling_is_told_to_the_others_and_not_to_its_source() -> (
    None
):
    async with ObjectHarness(mounted()) as harness:
        bob = await Peer.join(harness)
        carol = await Peer.join(harness)
        known = filled(_CHANGE, values({"open": [True, hlc(2)]}))
        alice = await ThinkingPeer.join(harness, known)
        await talk(harness, alice)
        assert set(bob.kinds()) == set(carol.kinds()) == {("S", 3)}
        assert ("S", 3) not in alice.heard
        late = await ThinkingPeer.join(harness)
        await talk(harness, late)
        assert get_tables(late.replica) == {"pets": {"fido": {"species": "dog"}}}
        assert get_values(late.replica) == {"open": True}


async def test_who_made_changes_while_away_is_pulled_from_and_everybody_agrees() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await ThinkingPeer.join(harness, filled(_CHANGE))
        bob = await ThinkingPeer.join(harness, filled(cells("pets", "rex", {"age": [3, hlc(5)]})))
        carol = await ThinkingPeer.join(harness)
        everybody = (alice, bob, carol)
        await talk(harness, *everybody)
        carol.change(cells("pets", "fido", {"species": ["wolf", hlc(9)]}))
        await talk(harness, *everybody)
        expected = {"pets": {"fido": {"species": "wolf"}, "rex": {"age": 3}}}
        assert [get_tables(peer.replica) for peer in everybody] == [expected] * 3


async def test_a_change_from_too_far_in_the_future_is_relayed_and_not_kept() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, cells("t", "r", {"c": [1, hlc(10**9)]}))
        await harness.settle()
        assert bob.kinds() == [(alice.id, 3)]
        assert harness.stored(ROOM, "a") == {}


async def test_binary_frames_are_text_in_disguise() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        alice.socket.say(b'S\n["Q",1,""]')
        alice.socket.say(b"\xff")
        await harness.settle()
        assert alice.kinds() == [("S", 0)]
        assert alice.socket.closed == _MALFORMED


@pytest.mark.parametrize("frame", ["no line feed", "\nnot json", '\n["T",9,""]', '\n["T",3,[1]]'])
async def test_a_frame_that_the_protocol_does_not_know_closes_its_socket_alone(frame: str) -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.socket.say(frame)
        alice.tell(3, _CHANGE)
        await harness.settle()
        assert alice.socket.closed == _MALFORMED
        assert bob.socket.closed is None
        assert bob.take() == []
        assert harness.stored(ROOM, "a") == {}


# -- the gate ----------------------------------------------------------------------------------


async def test_nobody_hears_of_a_change_before_it_is_committed() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        harness.committer.hold()
        alice.tell(3, _CHANGE)
        alice.tell(1, "", to="S", request_id="after")
        await harness.settle()
        assert bob.take() == []
        assert alice.take() == []
        harness.committer.commit_now()
        assert bob.kinds() == [(alice.id, 3)]
        assert [frame.id for frame in alice.take()] == ["after"]


async def test_a_change_that_is_not_news_is_passed_on_at_once() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, _CHANGE)
        await harness.settle()
        harness.committer.hold()
        bob.take()
        alice.tell(3, _CHANGE)
        assert bob.kinds() == [(alice.id, 3)]


async def test_a_relaxed_room_speaks_at_once_and_stores_behind() -> None:
    async with ObjectHarness(mounted(durability="relaxed")) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        harness.committer.hold()
        alice.tell(3, _CHANGE)
        assert bob.kinds() == [(alice.id, 3)]
        assert harness.stored(ROOM, "a") == {}
        harness.clock.advance(0.25)
        harness.committer.commit_now()
        assert harness.stored(ROOM, "a")


async def test_changes_of_many_come_in_one_order_to_all() -> None:
    async with ObjectHarness(mounted()) as harness:
        peers = [await Peer.join(harness) for _ in range(4)]
        harness.committer.hold()
        for turn in range(3):
            for number, peer in enumerate(peers):
                stamp = hlc(turn * 10 + number)
                peer.tell(3, cells("t", f"{number}", {"c": [turn, stamp]}), request_id=stamp)
            harness.committer.commit_now()
        harness.committer.commit_now()
        seen = {peer.id: [(frame.sender, frame.id) for frame in peer.take()] for peer in peers}
        order = [(peer.id, hlc(turn * 10 + n)) for turn in range(3) for n, peer in enumerate(peers)]
        for peer_id, frames in seen.items():
            assert frames == [entry for entry in order if entry[0] != peer_id]


# -- a relay -----------------------------------------------------------------------------------


async def test_with_sync_relay_questions_go_to_everybody_as_the_reference_does() -> None:
    async with ObjectHarness(mounted(sync="relay")) as harness:
        alice = await Peer.join(harness)
        assert alice.kinds() == [("S", 1), ("S", 2)], "the replica asks the first client"
        bob = await Peer.join(harness)
        assert bob.take() == [], "and a later one hears nothing on arrival"
        bob.tell(1, "", request_id="Q")
        bob.tell(2, [7, 0], request_id="H")
        await harness.settle()
        assert alice.kinds() == [(bob.id, 1), (bob.id, 2)]
        assert bob.kinds() == [("S", 0), ("S", 4)]


async def test_with_sync_relay_what_was_pulled_is_not_announced() -> None:
    async with ObjectHarness(mounted(sync="relay")) as harness:
        bob = await Peer.join(harness)
        alice = await ThinkingPeer.join(harness, filled(_CHANGE))
        await talk(harness, alice)
        assert (alice.socket._sink.id, 3) not in bob.kinds()  # type: ignore[union-attr]
        assert harness.stored(ROOM, "a")


async def test_the_replica_serves_before_the_relay_so_its_answer_comes_first() -> None:
    async with ObjectHarness(mounted(sync="relay")) as harness:
        alice = await ThinkingPeer.join(harness, filled(_CHANGE))
        await talk(harness, alice)
        bob = await Peer.join(harness)
        bob.tell(1, "", request_id="Q")
        await talk(harness, alice)
        assert next(frame.sender for frame in bob.take() if frame.id == "Q") == "S"


# -- without a replica -------------------------------------------------------------------------


async def test_a_room_without_durability_relays_and_keeps_nothing() -> None:
    async with ObjectHarness(mounted(durability="none")) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(1, "", request_id="Q")
        alice.tell(3, _CHANGE)
        alice.tell(1, "", to="S")
        await harness.advance(5.0)
        assert bob.kinds() == [(alice.id, 1), (alice.id, 3)]
        assert alice.take() == []
        assert harness.committer.committed == []


# -- silent clients ----------------------------------------------------------------------------


async def test_a_client_that_came_and_says_nothing_is_told_and_asked() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        bob.tell(1, "", request_id="Q")
        await harness.advance(1.0)
        assert alice.take() == []
        bob.take()
        await harness.advance(1.0)
        assert alice.kinds() == [("S", 1), ("S", 2)]
        assert bob.take() == [], "who spoke is not disturbed"


async def test_a_silent_client_that_answers_the_question_is_pulled_from() -> None:
    async with ObjectHarness(mounted()) as harness:
        socket = await harness.connect(ROOM, "a")
        peer = ThinkingPeer(socket, filled(_CHANGE))
        await harness.advance(2.0)
        await talk(harness, peer)
        assert harness.stored(ROOM, "a")


async def test_a_client_that_only_asks_is_asked_too_and_what_it_had_is_pulled() -> None:
    async with ObjectHarness(mounted()) as harness:
        peer = ThinkingPeer(await harness.connect(ROOM, "a"), filled(_CHANGE))
        for _ in range(60):  # an application that waits for a receipt asks again and again
            peer.socket.say('S\n["receipt",1,""]')
            await harness.advance(0.1)
        await talk(harness, peer)
        assert harness.stored(ROOM, "a")


async def test_a_client_that_asks_and_then_announces_is_left_in_peace() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        alice.tell(1, "", request_id="Q")
        await harness.advance(1.0)
        alice.tell(2, [0, 0], request_id="H")
        await harness.settle()
        alice.take()
        await harness.advance(8.0)
        assert alice.take() == []


async def test_a_client_that_asked_and_went_away_is_not_missed() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        alice.tell(1, "", request_id="Q")
        await harness.advance(2.0)
        alice.socket.leave()
        await harness.advance(8.0)
        assert [frame.kind for frame in alice.take()] == [0]


async def test_a_silent_client_that_went_away_is_not_missed() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        alice.socket.leave()
        await harness.advance(3.0)
        assert alice.take() == []


# -- rest and wake -----------------------------------------------------------------------------


async def test_a_room_rests_wakes_with_its_content_and_its_clients_and_disturbs_nobody() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, _CHANGE)
        for peer in (alice, bob):
            peer.tell(1, "")
            peer.tell(2, list(filled(_CHANGE).content_hashes()))
        await harness.advance(15.0)
        room = harness.live_room(ROOM, "a")
        assert room is not None
        assert not room.awake
        bob.take()
        alice.take()
        bob.tell(4, {}, to="S", request_id="Q")
        await harness.settle()
        assert bob.take()[0].body == [_CHANGE[0], {}]
        alice.tell(3, cells("t", "r", {"c": [1, hlc(3)]}))
        await harness.settle()
        assert bob.kinds() == [(alice.id, 3)]


async def test_rooms_know_nothing_of_one_another() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness, "a")
        bob = await Peer.join(harness, "b")
        alice.tell(3, _CHANGE)
        await harness.settle()
        assert bob.take() == []
        assert harness.stored(ROOM, "b") == {}


async def test_the_same_client_may_leave_and_come_back_under_its_id() -> None:
    """A multiplexed socket keeps its id when a channel is opened again."""
    async with ObjectHarness(mounted()) as harness:
        bob = await Peer.join(harness)
        object_id = harness.object_id(ROOM, "a")
        first, second = type(bob.socket)(), type(bob.socket)()
        old = await harness.registry.connect(object_id, Request(), first, "same")
        new = await harness.registry.connect(object_id, Request(), second, "same")
        old.ended(1000, "", clean=True)
        await harness.settle()
        bob.tell(1, "", to="same")
        await harness.settle()
        assert first.received == []
        assert len(second.received) == 1
        new.receive('S\n["Q",1,""]')
        await harness.settle()
        assert parse_json(str(second.received[1]).partition("\n")[2])[:2] == ["Q", 0]
