"""Clients that may only read: what they change is refused, and taken back at them."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from app.cluster.namespaces import make_mount
from app.sdk import ClientRole, Connection, ObjectFault, Request
from app.sdk.json import dump_json
from app.testing.harness import ObjectHarness
from app.tinybase import corrections
from app.tinybase.bodies import CONTENT_DIFF, CONTENT_HASHES, RESPONSE
from app.tinybase.content import get_tables, get_values
from app.tinybase.tally import TALLY
from app.tinybase.verdicts import RefusedChange
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import ROOM, Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import NOW, cells, filled, hlc, values


class Library(Editor):
    """Who comes while it is closed to writers may only read."""

    lending: ClassVar[bool] = True
    refused: ClassVar[list[RefusedChange]] = []

    def may_write(self, connection: Connection) -> bool:
        if Library.lending and "reader" not in connection.tags:
            return True
        connection.tag("reader")
        return False


class Telling(Library):
    def on_refused(self, connection: Connection, refused: Any) -> None:
        del connection
        self.refused.extend(refused)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    Library.lending = True
    Library.refused.clear()
    yield
    Library.lending = True


async def reader(harness: ObjectHarness) -> Peer:
    Library.lending = False
    peer = await Peer.join(harness)
    Library.lending = True
    return peer


async def thinking_reader(harness: ObjectHarness, content: Any = None) -> ThinkingPeer:
    Library.lending = False
    peer = await ThinkingPeer.join(harness, content)
    Library.lending = True
    return peer


async def settled(harness: ObjectHarness, *peers: ThinkingPeer, seconds: int = 5) -> None:
    """Let everybody talk until every correction is made."""
    for _ in range(seconds):
        await talk(harness, *peers)
        harness.clock.advance(1.0)
    await talk(harness, *peers)


async def milliseconds(harness: ObjectHarness) -> int:
    """The room's time, after the one that stamps count from."""
    return await edit(harness, lambda room: room.ctx.now() - NOW)  # type: ignore[no-any-return]  # what the step returns


async def content(harness: ObjectHarness) -> tuple[Any, Any, Any]:
    return await edit(  # type: ignore[no-any-return]  # what the step returns
        harness, lambda room: (room.get_tables(), room.get_values(), room._replica.content_hashes())
    )


async def assert_equal(harness: ObjectHarness, *peers: ThinkingPeer) -> None:
    tables, its_values, hashes = await content(harness)
    for peer in peers:
        assert get_tables(peer.replica) == tables
        assert get_values(peer.replica) == its_values
        assert peer.replica.content_hashes() == hashes


@pytest.mark.parametrize("sync", ["hub", "relay"])
async def test_a_reader_gets_back_what_it_changed_and_nobody_else_sees_it(sync: str) -> None:
    async with ObjectHarness(mounted(Library, sync=sync)) as harness:
        writer, recorder = await ThinkingPeer.join(harness), await Peer.join(harness)
        writer.change(cells("t", "r", {"c": ["kept", hlc(1)], "gone": ["\ufffc", hlc(1)]}))
        writer.change(values({"v": [1, hlc(1)]}))
        reads = await thinking_reader(harness)
        await settled(harness, writer, reads)
        recorder.take()
        reads.change(cells("t", "r", {"c": ["bad", hlc(5)], "gone": ["bad", hlc(5)]}))
        reads.change(cells("new", "r", {"c": ["bad", hlc(6)]}))
        reads.change(values({"v": ["bad", hlc(7)], "w": ["bad", hlc(7)]}))
        await settled(harness, writer, reads)
        assert get_tables(reads.replica) == {"t": {"r": {"c": "kept"}}}
        assert get_values(reads.replica) == {"v": 1}
        await assert_equal(harness, writer, reads)
        heard = recorder.take()
        assert heard
        assert {frame.sender for frame in heard if frame.kind == CONTENT_DIFF} == {"S"}
        assert "bad" not in str(heard)


async def test_what_a_reader_changed_while_it_was_away_is_taken_back_too() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        writer, recorder = await ThinkingPeer.join(harness), await Peer.join(harness)
        writer.change(cells("t", "r", {"c": ["kept", hlc(1)]}))
        await settled(harness, writer)
        away = filled(
            cells("t", "r", {"c": ["bad", hlc(5)], "d": ["bad", hlc(5)]}),
            cells("u", "r", {"c": ["bad", hlc(6)]}),
            values({"v": ["bad", hlc(7)]}),
        )
        recorder.take()
        reads = await thinking_reader(harness, away)
        await settled(harness, writer, reads)
        assert get_tables(reads.replica) == {"t": {"r": {"c": "kept"}}}
        await assert_equal(harness, writer, reads)
        assert "bad" not in str(recorder.take())


async def test_a_writer_beside_a_reader_writes_as_ever() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        writer = await Peer.join(harness)
        other = await reader(harness)
        other.take()
        change = cells("t", "r", {"c": [1, hlc(1)]})
        writer.tell(CONTENT_DIFF, change)
        await harness.settle()
        assert [(frame.sender, frame.body) for frame in other.take()] == [(writer.id, change)]


@pytest.mark.parametrize("kind", [CONTENT_DIFF, RESPONSE, CONTENT_HASHES])
@pytest.mark.parametrize("options", [{"sync": "hub"}, {"sync": "relay"}, {"durability": "none"}])
async def test_a_reader_cannot_reach_another_client_past_the_replica(
    kind: int, options: dict[str, str]
) -> None:
    durability = options.pop("durability", None)
    mount = mounted(Library, **options)
    if durability:
        mount = {"room": make_mount("room", Library, {"durability": durability})}
    async with ObjectHarness(mount) as harness:
        victim = await Peer.join(harness)
        bad = await reader(harness)
        victim.take()
        change = cells("t", "r", {"c": ["bad", hlc(1)]})
        body = {CONTENT_DIFF: change, RESPONSE: change[0], CONTENT_HASHES: [1, 2]}[kind]
        for address in ("", victim.id):
            bad.tell(kind, body, to=address)
        await harness.settle()
        assert [frame for frame in victim.take() if frame.sender == bad.id] == []


async def test_defaults_of_a_reader_are_neither_taken_nor_taken_back() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        reads = await thinking_reader(harness, filled(cells("t", "r", {"c": ["default"]})))
        writer = await ThinkingPeer.join(harness, filled(cells("t", "r", {"c": ["first"]})))
        await settled(harness, writer, reads)
        assert (await content(harness))[0] == {"t": {"r": {"c": "first"}}}
        writer.change(cells("t", "r", {"c": ["written", hlc(1)]}))
        await settled(harness, writer, reads)
        await assert_equal(harness, writer, reads)


async def test_who_writes_all_the_time_is_corrected_in_lots() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        writer, recorder = await ThinkingPeer.join(harness), await Peer.join(harness)
        writer.change(values({"v": [0, hlc(1)]}))
        await settled(harness, writer)
        reads = await thinking_reader(harness)
        await settled(harness, writer, reads)
        recorder.take()
        now = await milliseconds(harness)
        for number in range(200):
            reads.change(values({"v": [number, hlc(now + 1 + number)]}))
        await harness.settle()
        assert len([frame for frame in recorder.take() if frame.kind == CONTENT_DIFF]) == 1
        await settled(harness, writer, reads)
        assert len([frame for frame in recorder.take() if frame.kind == CONTENT_DIFF]) == 1
        await assert_equal(harness, writer, reads)


async def test_more_places_that_never_held_anything_than_one_client_may_cause_send_it_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(corrections, "NEW_PLACES_A_CLIENT", 5)
    async with ObjectHarness(mounted(Library)) as harness:
        bad = await reader(harness)
        before = TALLY.sent_away
        for number in range(6):
            assert bad.socket.closed is None
            bad.tell(CONTENT_DIFF, values({f"v{number}": [1, hlc(1)]}))
            await harness.settle()
        assert bad.socket.closed == corrections.TOO_MUCH
        assert TALLY.sent_away == before + 1
        harness.clock.advance(1.0)
        await harness.settle()
        count = await edit(harness, lambda room: len(room._replica.values.leaves))
        assert count == 5


async def test_what_all_readers_may_cause_is_counted_in_the_content_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(corrections, "NEW_PLACES_A_ROOM", 4)
    async with ObjectHarness(mounted(Library)) as harness:
        for name in ("a", "b"):
            bad = await reader(harness)
            bad.tell(CONTENT_DIFF, cells("t", name, {"c": [1, hlc(1)], "d": [1, hlc(1)]}))
            await harness.settle()
            harness.clock.advance(1.0)
            assert bad.socket.closed is None
        await edit(harness, lambda room: setattr(room, "_corrections", corrections.Corrections()))
        bad = await reader(harness)
        bad.tell(CONTENT_DIFF, values({"v": [1, hlc(2)]}))
        await harness.settle()
        assert bad.socket.closed == corrections.TOO_MUCH


async def test_ids_without_end_are_not_kept_for_a_reader() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        bad = await reader(harness)
        bad.tell(CONTENT_DIFF, values({"v" * 1_025: [1, hlc(1)]}))
        await harness.settle()
        assert bad.socket.closed == corrections.TOO_MUCH


async def test_more_than_may_wait_for_its_correction_sends_the_client_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(corrections, "WAITING_PLACES", 2)
    async with ObjectHarness(mounted(Library)) as harness:
        writer = await Peer.join(harness)
        writer.tell(CONTENT_DIFF, values({each: [0, hlc(1)] for each in "abc"}))
        good, bad = await reader(harness), await reader(harness)
        good.tell(CONTENT_DIFF, values({each: [1, hlc(2)] for each in "ab"}))
        now = await milliseconds(harness)
        bad.tell(CONTENT_DIFF, values({each: [1, hlc(now + 1)] for each in "abc"}))
        await harness.settle()
        assert good.socket.closed is None
        assert bad.socket.closed == corrections.TOO_MUCH


async def test_what_waited_for_its_correction_when_the_instance_failed_is_found_again() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        writer = await ThinkingPeer.join(harness)
        writer.change(values({"v": [0, hlc(1)], "w": [0, hlc(1)]}))
        reads = await thinking_reader(harness)
        await settled(harness, writer, reads)
        now = await milliseconds(harness)
        reads.change(values({"v": ["bad", hlc(now + 1)]}))
        reads.change(values({"w": ["bad", hlc(now + 1)]}))  # waits behind the other
        await harness.settle()
        with pytest.raises(ObjectFault):
            await edit(harness, lambda room: room.no_such_thing)
        await settled(harness, writer, reads, seconds=10)
        assert get_values(reads.replica) == {"v": 0, "w": 0}
        await assert_equal(harness, writer, reads)


async def test_a_reader_whose_clock_is_ahead_is_corrected_at_once_and_the_room_in_time() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        writer = await ThinkingPeer.join(harness)
        writer.change(values({"v": [0, hlc(1)]}))
        await settled(harness, writer)
        recorder, bad = await Peer.join(harness), await reader(harness)
        now = await milliseconds(harness)
        recorder.take(), bad.take()
        stamp = hlc(now + 60_000)
        bad.tell(CONTENT_DIFF, values({"v": ["bad", stamp]}))
        await harness.settle()
        (frame,) = bad.take()
        assert (frame.sender, frame.kind) == ("S", CONTENT_DIFF)
        value, given = frame.body[1][0]["v"]
        assert (value, given > stamp) == (0, True)
        assert recorder.take() == []
        await settled(harness, seconds=53)
        assert CONTENT_DIFF not in {frame.kind for frame in recorder.take()}
        await settled(harness, seconds=5)
        (frame,) = [each for each in recorder.take() if each.kind == CONTENT_DIFF]
        assert frame.body[1][0]["v"][0] == 0
        assert frame.body[1][0]["v"][1] > given


async def test_a_stamp_that_nobody_believes_is_beaten_at_its_client_alone() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        recorder, bad = await Peer.join(harness), await reader(harness)
        now = await milliseconds(harness)
        recorder.take(), bad.take()
        bad.tell(CONTENT_DIFF, values({"v": ["bad", hlc(now + 3_600_000)]}))
        await harness.settle()
        (frame,) = bad.take()
        assert frame.body[1][0]["v"][0] == "\ufffc"
        assert recorder.take() == []
        assert (await content(harness))[2] == (0, 0)


async def test_the_author_is_told_what_was_refused() -> None:
    async with ObjectHarness(mounted(Telling)) as harness:
        bad = await reader(harness)
        before = TALLY.refused
        bad.tell(CONTENT_DIFF, cells("t", "r", {"c": ["\ufffd[1]", hlc(1)]}))
        bad.tell(CONTENT_DIFF, values({"v": ["\ufffc", hlc(1)]}))
        await harness.settle()
        first, second = Library.refused
        assert (first.change.table_id, first.change.row_id, first.change.cell_id) == ("t", "r", "c")
        assert (first.change.new, first.change.added, first.reason) == ([1], True, "read-only")
        assert (second.change.value_id, second.change.deleted) == ("v", True)
        assert TALLY.refused == before + 2


@pytest.mark.parametrize("role", list(ClientRole))
async def test_the_role_of_a_connection_decides_before_and_after_sleep(role: ClientRole) -> None:
    async with ObjectHarness(mounted(Editor)) as harness:
        socket = await harness.connect(ROOM, "a", request=Request(role=role))
        room = await harness.room(ROOM, "a")
        for number in range(2):
            change = values({f"v{number}": [1, hlc(1)]})
            socket.say(f"\n{dump_json(['T', CONTENT_DIFF, change]).decode()}")
            await harness.settle()
            harness.clock.advance(1.0)
            await harness.settle()
            await room.hibernate()
        expected = {} if role is ClientRole.READ else {"v0": 1, "v1": 1}
        assert (await content(harness))[1] == expected


async def test_a_role_may_change_while_a_client_stays() -> None:
    async with ObjectHarness(mounted(Library)) as harness:
        peer = await Peer.join(harness)
        peer.tell(CONTENT_DIFF, values({"v": [1, hlc(1)]}))
        await harness.settle()
        Library.lending = False
        await edit(harness, lambda room: room.roles_changed())
        Library.lending = True
        peer.tell(CONTENT_DIFF, values({"v": [2, hlc(2)]}))
        await harness.settle()
        assert (await content(harness))[1] == {"v": 1}
