"""One socket of a room, and all of them."""

from collections.abc import Sequence

import pytest

from app.core.errors import ConnectionClosed
from app.core.frames import OutgoingMessage, PartedMessage, TextParts
from app.core.tasks import TaskOwner
from app.room.connections import ConnectionSet, ConnectionState, RoomConnection
from app.sdk import Connection, Request
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from tests.unit.room.benches import Notes
from tests.unit.room.objects import Probe
from tests.unit.room.seen import closed

_tasks = TaskOwner("test")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def socket() -> MemorySocket:
    return MemorySocket()


@pytest.fixture
def connection(notes: Notes, socket: MemorySocket) -> RoomConnection:
    return RoomConnection(notes, connection_id="alice", serial=1, transport=socket)


def _messages(*texts: str) -> Sequence[OutgoingMessage]:
    return [OutgoingMessage(text) for text in texts]


def test_after_its_own_close_nothing_more_is_said_and_closing_again_does_nothing(
    connection: RoomConnection, notes: Notes
) -> None:
    connection.send("before")
    connection.close()
    with pytest.raises(ConnectionClosed):
        connection.send("after")
    connection.close(4000)
    assert notes.staged == [b"before", (1000, "")]
    assert connection.deaf


def test_what_the_room_holds_back_counts_as_not_taken_yet(
    connection: RoomConnection, notes: Notes, socket: MemorySocket
) -> None:
    socket.stall()
    connection.deliver([OutgoingMessage("12345")], limit_bytes=10, overflow_reason="")
    assert connection.buffered_bytes == 5
    notes.held_bytes = 3
    assert connection.buffered_bytes == 8


def test_a_message_in_parts_is_sent_as_a_whole_and_counts_for_the_bound(
    connection: RoomConnection, notes: Notes, socket: MemorySocket
) -> None:
    parts = TextParts((b"one, ", b"two"))
    connection.send(parts)
    assert notes.staged == [b"one, two"]
    connection.deliver([PartedMessage(parts)], limit_bytes=8, overflow_reason="")
    assert socket.received == ["one, two"]
    connection.deliver([PartedMessage(parts)], limit_bytes=7, overflow_reason="slow")
    assert socket.closed == (1013, "slow")


def test_the_end_is_told_exactly_once(connection: RoomConnection, notes: Notes) -> None:
    connection.ended(1006, "", clean=False)
    connection.ended(1000, "again", clean=True)
    assert notes.ends == [(1006, "", False)]
    assert connection.state is ConnectionState.CLOSED
    connection.receive("too late")
    connection.send("too late")
    connection.shut(1000, "")
    assert notes.heard == []
    assert notes.staged == []


def test_a_socket_that_was_turned_away_gets_and_gives_nothing_more(
    connection: RoomConnection, socket: MemorySocket, notes: Notes
) -> None:
    connection.shut(1011, "fault")
    connection.shut(1012, "other")
    connection.deliver(_messages("late"), limit_bytes=100, overflow_reason="slow")
    connection.receive("late")
    assert socket.closed == (1011, "fault")
    assert socket.received == []
    assert notes.heard == []
    assert repr(connection) == "<Connection alice CLOSING>"


def test_a_reader_past_its_bound_is_closed_and_one_at_the_bound_is_not(
    connection: RoomConnection, socket: MemorySocket
) -> None:
    socket.stall()
    connection.deliver(_messages("1234", "56789"), limit_bytes=9, overflow_reason="slow")
    assert closed(socket) is None
    assert connection.buffered_bytes == 9
    connection.deliver(_messages("0"), limit_bytes=9, overflow_reason="slow")
    assert closed(socket) == (1013, "slow")
    assert socket.received == ["1234", "56789"]


@pytest.mark.parametrize("buffered", [True, False])
def test_unsent_bytes_are_dropped_with_the_socket_that_holds_them(
    connection: RoomConnection, socket: MemorySocket, buffered: bool
) -> None:
    socket.stall()
    if buffered:
        connection.deliver(_messages("x"), limit_bytes=9, overflow_reason="slow")
    connection.drop_unsent()
    assert socket.aborted is buffered
    assert connection.open is not buffered
    assert closed(socket) is None


def test_members_stand_in_the_order_they_joined_and_are_found_by_their_tags(
    notes: Notes,
) -> None:
    members = ConnectionSet()
    made = []
    for number in range(4):
        member = RoomConnection(
            notes,
            connection_id=str(number),
            serial=members.next_serial(),
            transport=MemorySocket(),
        )
        members.add(member)
        made.append(member)
    made[0].tag("a")
    made[1].tag("a", "b")
    made[2].tag("b", "c")
    assert list(members) == made
    assert members.latest_serial == 4
    assert members.select(None, (), ()) == made
    assert members.select("a", (), ()) == made[:2]
    assert members.select("a", ("b",), ()) == [made[1]]
    assert members.select(None, ("b", "c"), ()) == [made[2]]
    assert members.select(None, (), ("a", "c")) == made[:3]
    assert members.select("nobody", (), ()) == []
    made[0].close()
    assert members.select("a", (), ()) == [made[1]]
    members.remove(made[1])
    members.remove(made[1])
    assert made[1] not in members
    assert made[0] in members
    assert "no member" not in members
    assert len(members) == 3


async def test_56_a_close_waits_for_the_writes_before_it(harness: ObjectHarness) -> None:
    def message(self: Probe, connection: Connection, _text: str) -> None:
        self.ctx.storage.put("key", 1)
        connection.send("bye")
        connection.close(4001, "done")

    Probe.hooks = {"message": message}
    alice = await harness.connect("probe", "a")
    harness.committer.hold()
    alice.say("x")
    alice.say("not heard")
    await harness.settle()
    assert closed(alice) is None
    assert Probe.heard.count("message") == 1
    harness.committer.commit_now()
    assert alice.take() == ["bye"]
    assert closed(alice) == (4001, "done")


async def test_what_a_client_says_while_its_close_may_still_be_undone_is_not_lost(
    harness: ObjectHarness,
) -> None:
    async def request(self: Probe) -> None:
        for each in self.ctx.connections():
            each.close()
        await harness.settle()
        raise RuntimeError("so it stays open")

    alice = await harness.connect("probe", "a")
    heard: list[str] = []
    Probe.hooks = {"request": request, "message": lambda _self, _c, text: heard.append(text)}
    asking = harness.request("probe", "a", Request())
    running = _tasks.start(asking, name="request")
    for _ in range(10):
        await harness.settle()
        if heard or running.done():
            break
        alice.say("hello")
    with pytest.raises(Exception, match="so it stays open"):
        await running
    await harness.settle()
    assert closed(alice) is None
    assert heard[0] == "hello"
