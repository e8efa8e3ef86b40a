"""From outputs to sockets: order, recipients, grouping."""

from app.core.frames import OutgoingMessage
from app.core.ids import ObjectIds
from app.room.connections import ConnectionSet, RoomConnection
from app.room.meter import Meter
from app.room.outputs import Broadcast, Close, OutputDelivery, Release, Send
from app.testing.sockets import MemorySocket
from tests.unit.room.benches import Notes


class Bench:
    """A room's sockets and their delivery."""

    def __init__(self, count: int, *, limit_bytes: int = 1_000) -> None:
        self.members = ConnectionSet()
        self.sockets: list[MemorySocket] = []
        self.connections: list[RoomConnection] = []
        for _ in range(count):
            self.join()
        self.meter = Meter(ObjectIds(b"test").from_name("test", "one"), 0)
        self.delivery = OutputDelivery(
            self.members,
            limit_bytes=limit_bytes,
            overflow_reason="too slow",
            meter=self.meter,
        )

    def join(self) -> RoomConnection:
        socket = MemorySocket()
        connection = RoomConnection(
            Notes(),
            connection_id=f"c{len(self.connections)}",
            serial=self.members.next_serial(),
            transport=socket,
        )
        self.members.add(connection)
        self.sockets.append(socket)
        self.connections.append(connection)
        return connection

    def broadcast(
        self, text: str, *, exclude: int | None = None, tag: str | None = None
    ) -> Broadcast:
        left_out = None if exclude is None else self.connections[exclude]
        only = None if tag is None else frozenset(self.members.select(tag, (), ()))
        return Broadcast(OutgoingMessage(text), left_out, self.members.latest_serial, only)

    def send(self, to: int, text: str) -> Send:
        return Send(self.connections[to], OutgoingMessage(text))

    @property
    def writes(self) -> list[list[list[str | bytes]]]:
        return [socket.writes for socket in self.sockets]


def test_one_broadcast_reaches_all_but_the_one_left_out() -> None:
    bench = Bench(3)
    bench.delivery.deliver([bench.broadcast("x", exclude=1)])
    assert bench.writes == [[["x"]], [], [["x"]]]


def test_one_send_and_one_close_reach_their_socket() -> None:
    bench = Bench(2)
    bench.delivery.deliver([bench.send(1, "x")])
    bench.delivery.deliver([Close(bench.connections[0], 4000, "bye")])
    assert bench.writes == [[], [["x"]]]
    assert bench.sockets[0].closed == (4000, "bye")


def test_one_release_is_run() -> None:
    ran: list[str] = []
    Bench(0).delivery.deliver([Release(lambda: ran.append("x"))])
    assert ran == ["x"]


def test_broadcasts_that_leave_together_make_one_write_a_socket() -> None:
    bench = Bench(3)
    bench.connections[2].tag("t")
    bench.delivery.deliver(
        [
            bench.broadcast("a", exclude=0),
            bench.broadcast("b", exclude=1),
            bench.broadcast("c", tag="t"),
        ]
    )
    assert bench.writes == [[["b"]], [["a"]], [["a", "b", "c"]]]


def test_who_gets_none_of_several_broadcasts_gets_no_write() -> None:
    bench = Bench(1)
    bench.delivery.deliver([bench.broadcast("a", exclude=0), bench.broadcast("b", exclude=0)])
    assert bench.writes == [[]]


def test_outputs_of_different_kinds_keep_their_order_for_each_socket() -> None:
    bench = Bench(2)
    ran: list[str] = []
    bench.delivery.deliver(
        [
            bench.send(0, "1"),
            bench.broadcast("2"),
            Release(lambda: ran.append("x")),
            bench.send(1, "3"),
            bench.broadcast("4", exclude=0),
            bench.send(0, "5"),
        ]
    )
    assert bench.writes == [[["1", "2", "5"]], [["2", "3", "4"]]]
    assert ran == ["x"]


def test_a_close_in_the_middle_follows_what_was_sent_before_and_nothing_follows_it() -> None:
    bench = Bench(2)
    bench.delivery.deliver(
        [
            bench.send(0, "before"),
            Close(bench.connections[0], 4000, "bye"),
            bench.send(0, "after"),
            bench.broadcast("to all"),
        ]
    )
    assert bench.writes == [[["before"]], [["to all"]]]
    assert bench.sockets[0].closed == (4000, "bye")


def test_a_close_without_anything_before_it_is_only_a_close() -> None:
    bench = Bench(1)
    bench.delivery.deliver([Close(bench.connections[0], 1000, ""), bench.send(0, "after")])
    assert bench.writes == [[]]
    assert bench.sockets[0].closed == (1000, "")


def test_who_joined_after_a_broadcast_was_made_does_not_get_it() -> None:
    bench = Bench(1)
    early = bench.broadcast("early")
    early_too = bench.broadcast("early too")
    bench.join()
    bench.delivery.deliver([early])
    bench.delivery.deliver([early, early_too])
    bench.delivery.deliver([early, bench.send(1, "x")])
    assert bench.writes == [[["early"], ["early", "early too"], ["early"]], [["x"]]]


def test_a_socket_too_full_for_the_group_is_closed_and_the_others_are_served() -> None:
    bench = Bench(2, limit_bytes=5)
    bench.sockets[0].stall()
    for _ in range(2):
        bench.delivery.deliver([bench.broadcast("ab"), bench.broadcast("c")])
    assert bench.sockets[0].closed == (1013, "too slow")
    assert bench.writes[1] == [["ab", "c"], ["ab", "c"]]


def test_nothing_to_deliver_is_nothing() -> None:
    bench = Bench(1)
    bench.delivery.deliver([])
    assert bench.writes == [[]]
