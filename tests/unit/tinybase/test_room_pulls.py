"""How a room pulls from its clients: restarts, time-outs, tries again, and large joins."""

from itertools import pairwise
from typing import Any

from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables
from app.tinybase.replica import Replica
from app.tinybase.room import TinyBaseRoom
from tests.unit.tinybase.peers import ROOM, Frame, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc, replica

_CHANGE = cells("pets", "fido", {"species": ["dog", hlc(1)]})
_HASHES = list(filled(_CHANGE).content_hashes())
_EVERYTHING = [_CHANGE[0], {}]
_MEBIBYTE = 1 << 20


class Fragile(TinyBaseRoom):
    """Fails on a message to nobody."""

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        if to_client_id == "crash":
            raise RuntimeError("as asked")


def _questions(peer: Peer) -> list[Frame]:
    return [frame for frame in peer.take() if frame.kind in {1, 4, 5, 6, 7}]


async def _announce(harness: ObjectHarness, peer: Peer, hashes: list[int], name: str) -> Frame:
    """Announce hashes; return the question that follows."""
    peer.tell(2, hashes, request_id=name)
    await harness.settle()
    (question,) = _questions(peer)
    return question


# -- one pull ----------------------------------------------------------------------------------


async def test_a_newer_announcement_restarts_the_pull_and_the_old_answer_is_ignored() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        first = await _announce(harness, alice, [1, 0], "first")
        second = await _announce(harness, alice, _HASHES, "second")
        assert (str(first.id)[:6], str(second.id)[:7]) == ("first.", "second.")
        alice.tell(0, _EVERYTHING, to="S", request_id=first.id)
        await harness.settle()
        assert harness.stored(ROOM, "a") == {}
        alice.tell(0, _EVERYTHING, to="S", request_id=second.id)
        await harness.settle()
        assert harness.stored(ROOM, "a")


async def test_an_answer_of_somebody_else_is_ignored() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        mallory = await Peer.join(harness)
        question = await _announce(harness, alice, _HASHES, "T")
        mallory.tell(0, _EVERYTHING, to="S", request_id=question.id)
        await harness.settle()
        assert harness.stored(ROOM, "a") == {}


async def test_a_pull_that_is_not_answered_is_tried_again_later_and_later() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        await _announce(harness, alice, _HASHES, "T")
        asked_at = []
        for second in range(1, 31):
            await harness.advance(1.0)
            if _questions(alice):
                asked_at.append(second)
        gaps = [later - earlier for earlier, later in pairwise(asked_at)]
        assert asked_at[0] <= 3
        assert gaps == sorted(gaps)
        assert gaps[-1] > gaps[0]


async def test_a_client_that_never_answers_does_not_keep_its_room_awake_for_ever() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        await _announce(harness, alice, _HASHES, "T")
        await harness.advance(420.0)
        room = harness.live_room(ROOM, "a")
        assert room is not None
        assert not room.awake


async def test_a_try_again_asks_for_the_hashes_of_then() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        await _announce(harness, alice, [1, 2], "T")
        await harness.advance(3.0)
        (question,) = _questions(alice)
        assert question.kind == 1
        alice.tell(0, [0, 0], to="S", request_id=question.id)
        await harness.advance(100.0)
        assert _questions(alice) == [], "the hashes are equal now"


async def test_an_answer_that_makes_no_sense_is_tried_again() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        question = await _announce(harness, alice, _HASHES, "T")
        alice.tell(0, [0, 0], to="S", request_id=question.id)
        await harness.advance(2.5)
        assert [again.kind for again in _questions(alice)] == [1]
        assert alice.socket.closed is None


async def test_who_leaves_during_a_pull_is_not_asked_again() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        await _announce(harness, alice, _HASHES, "T")
        alice.socket.leave()
        await harness.advance(10.0)
        assert alice.take() == []


async def test_how_long_an_answer_may_take_is_an_option() -> None:
    async with ObjectHarness(mounted(request_timeout_seconds="5")) as harness:
        alice = await Peer.join(harness)
        question = await _announce(harness, alice, _HASHES, "T")
        await harness.advance(4.0)
        alice.tell(0, _EVERYTHING, to="S", request_id=question.id)
        await harness.settle()
        assert harness.stored(ROOM, "a")


async def test_a_hundred_silent_clients_and_more_do_not_make_endless_questions() -> None:
    async with ObjectHarness(mounted()) as harness:
        peers = [await Peer.join(harness) for _ in range(110)]
        await harness.advance(1.6)
        kinds = [[kind for _, kind in peer.kinds()] for peer in peers]
        assert kinds.count([1, 2]) == 100
        assert kinds.count([2]) == 10


# -- fragments ---------------------------------------------------------------------------------


def _fragments(remainder: str, size: int, message_id: str = "0123456789abcdef") -> list[str]:
    pieces = [remainder[at : at + size] for at in range(0, len(remainder), size)]
    return [f"{message_id}\n{n}\n{len(pieces)}\n{piece}" for n, piece in enumerate(pieces)]


async def test_fragments_are_passed_on_as_they_came_when_all_are_there() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        text = '["T",3,[[{"pets":[{"fido":[{"species":["dog","' + hlc(1) + '"]}]}]}],[{}],1]]'
        fragments = _fragments(text, 20)
        for fragment in reversed(fragments):
            assert bob.socket.received == []
            alice.socket.say(f"\n{fragment}")
        await harness.settle()
        assert bob.socket.take() == [f"{alice.id}\n{fragment}" for fragment in fragments]
        assert harness.stored(ROOM, "a")


async def test_a_message_that_is_not_complete_in_time_is_forgotten() -> None:
    async with ObjectHarness(mounted()) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        fragments = _fragments('["T",1,""]', 4)
        for fragment in fragments[:-1]:
            alice.socket.say(f"{bob.id}\n{fragment}")
        await harness.advance(1.5)
        bob.take()
        alice.socket.say(f"{bob.id}\n{fragments[-1]}")
        await harness.advance(1.5)
        assert bob.take() == []
        assert alice.socket.closed is None


async def test_what_the_replica_sends_is_split_when_the_namespace_says_so() -> None:
    async with ObjectHarness(mounted(fragment_size="50")) as harness:
        alice = await Peer.join(harness)
        bob = await Peer.join(harness)
        alice.tell(3, cells("t", "r", {"c": ["x" * 200, hlc(1)]}))
        await harness.settle()
        assert len(bob.socket.take()) == 1, "what a client sent is passed on as it is"
        bob.tell(4, {}, to="S", request_id="Q")
        await harness.settle()
        answers = [str(text) for text in bob.socket.take()]
        assert len(answers) > 3
        senders, ids, numbers = zip(*(text.split("\n")[:3] for text in answers), strict=True)
        assert set(senders) == {"S"}
        assert len(set(ids)) == 1
        assert numbers == tuple(str(number) for number in range(len(answers)))
        assert "".join(text.split("\n", 4)[4] for text in answers).startswith('["Q",0,[[{"t":')


# -- large joins -------------------------------------------------------------------------------


def _large(mebibytes: int) -> Replica:
    """Content of many rows of 64 KiB."""
    made = replica()
    text = "x" * (1 << 16)
    for number in range(mebibytes * 16):
        made.merge(cells("t", f"{number}", {"c": [text, hlc(number)]}))
    return made


async def _filled_room(harness: ObjectHarness, content: Replica) -> None:
    alice = await ThinkingPeer.join(harness, content)
    await talk(harness, alice)
    alice.socket.leave()
    await harness.settle()


async def test_more_than_an_answer_may_hold_comes_in_pieces_and_then_the_answer() -> None:
    content = _large(6)
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, content)
        joiner = await Peer.join(harness)
        joiner.tell(4, {}, to="S", request_id="Q")
        seen: list[Frame] = []
        for _ in range(20):
            await harness.advance(0.011)
            seen += joiner.take()
        assert [frame.kind for frame in seen[-2:]] == [0, 2]
        assert seen[-2].id == "Q"
        assert seen[-2].body == [[{}], {}]
        assert {frame.kind for frame in seen[:-2]} == {3}
        assert max(len(str(write)) for write in joiner.socket.writes[0]) < 2 * _MEBIBYTE
        rows: dict[str, Any] = {}
        for frame in seen[:-2]:
            rows |= frame.body[0][0]["t"][0]
        assert len(rows) == 6 * 16


async def test_a_client_joins_a_room_of_many_mebibytes_and_has_it_all() -> None:
    content = _large(9)
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, content)
        joiner = await ThinkingPeer.join(harness)
        for _ in range(10):
            await talk(harness, joiner)
            await harness.advance(0.011)
        assert joiner.replica.content_hashes() == content.content_hashes()


async def test_a_slow_reader_gets_a_large_room_slowly_and_is_not_closed() -> None:
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, _large(24))
        joiner = await Peer.join(harness)
        joiner.socket.stall()
        joiner.tell(4, {}, to="S", request_id="Q")
        most, done = 0, False
        for _ in range(200):
            await harness.advance(0.05)
            most = max(most, joiner.socket.buffered_bytes)
            joiner.socket.stalled_bytes = max(0, joiner.socket.buffered_bytes - _MEBIBYTE)
            done = done or any(frame.kind == 2 for frame in joiner.take())
        assert joiner.socket.closed is None
        assert done
        assert most < 8 * _MEBIBYTE


async def test_many_who_join_at_once_have_turns_of_one_piece() -> None:
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, _large(6))
        joiners = [await Peer.join(harness) for _ in range(3)]
        for joiner in joiners:
            joiner.tell(4, {}, to="S", request_id="Q")
        had = [0, 0, 0]
        turns = 0
        while min(had) < 9:
            before = list(had)
            await harness.advance(0.001)
            had = [len(joiner.socket.writes) for joiner in joiners]
            turns += 1
            assert turns < 100
            assert max(had) - min(had) <= 2, "nobody is served before the others"
            assert sum(had) - sum(before) <= 6, "a turn writes little"
        for joiner in joiners:
            frames = joiner.take()
            assert [frame.kind for frame in frames[-2:]] == [0, 2]
            assert sum(len(frame.body[0][0]["t"][0]) for frame in frames[:-2]) == 6 * 16


async def test_an_answer_of_some_mebibytes_is_one_message_unless_others_wait_for_theirs() -> None:
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, _large(3))
        first, second = await Peer.join(harness), await Peer.join(harness)
        for joiner in (first, second):
            joiner.tell(4, {}, to="S", request_id="Q")
        for _ in range(10):
            await harness.advance(0.011)
        assert [frame.kind for frame in first.take()] == [0]
        assert [frame.kind for frame in second.take()] == [3, 3, 3, 3, 0, 2]


async def test_who_has_enough_to_take_is_passed_over() -> None:
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, _large(6))
        slow, quick = await Peer.join(harness), await Peer.join(harness)
        slow.socket.stall()
        for joiner in (slow, quick):
            joiner.tell(4, {}, to="S", request_id="Q")
        for _ in range(50):
            await harness.advance(0.011)
        assert [frame.kind for frame in quick.take()[-2:]] == [0, 2]
        assert slow.socket.buffered_bytes < 3 * _MEBIBYTE
        assert 0 not in {frame.kind for frame in slow.take()}


async def test_a_large_join_ends_with_the_client() -> None:
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, _large(8))
        joiner = await Peer.join(harness)
        joiner.socket.stall()
        joiner.tell(4, {}, to="S", request_id="Q")
        await harness.settle()
        joiner.take()
        joiner.socket.leave()
        await harness.advance(15.0)
        assert joiner.take() == []
        room = harness.live_room(ROOM, "a")
        assert room is not None
        assert not room.awake, "nothing keeps it awake"


async def test_the_same_question_again_replaces_the_pieces_under_way_and_both_are_answered() -> (
    None
):
    async with ObjectHarness(mounted()) as harness:
        await _filled_room(harness, _large(6))
        joiner = await Peer.join(harness)
        for name in ("first", "second"):
            joiner.tell(4, {}, to="S", request_id=name)
        kinds: list[int] = []
        answers: list[str | None] = []
        for _ in range(20):
            await harness.advance(0.011)
            frames = joiner.take()
            kinds += [frame.kind for frame in frames]
            answers += [frame.id for frame in frames if frame.kind == 0]
        assert answers == ["first", "second"]
        assert kinds[-3:] == [0, 0, 2]


async def test_a_join_under_way_when_an_event_fails_is_begun_again_by_the_clients_comparison() -> (
    None
):
    content = _large(9)
    async with ObjectHarness(mounted(Fragile)) as harness:
        await _filled_room(harness, content)
        bob = await Peer.join(harness)
        joiner = await ThinkingPeer.join(harness)
        await talk(harness, joiner)
        assert get_tables(joiner.replica) != get_tables(content)
        bob.tell(1, "", to="crash")
        for _ in range(30):
            await harness.advance(0.1)
            await talk(harness, joiner)
        assert joiner.replica.content_hashes() == content.content_hashes()
