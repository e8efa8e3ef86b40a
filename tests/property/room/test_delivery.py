"""Delivery of any outputs, however they are grouped: what each socket gets is what it must get."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.frames import OutgoingMessage
from app.core.ids import ObjectIds
from app.room.connections import ConnectionSet, RoomConnection
from app.room.meter import Meter
from app.room.outputs import Broadcast, Close, Output, OutputDelivery, Send
from app.testing.sockets import MemorySocket
from tests.unit.room.benches import Notes


class Said(NamedTuple):
    """One output: `to` is a member by its place; None for a broadcast."""

    kind: str
    to: int
    joins: bool


_SAID = st.builds(
    Said,
    st.sampled_from(["broadcast", "broadcast", "broadcast", "all", "tagged", "send", "close"]),
    st.integers(0, 4),
    st.booleans(),
)


def _join(members: ConnectionSet) -> RoomConnection:
    connection = RoomConnection(
        Notes(), connection_id="c", serial=members.next_serial(), transport=MemorySocket()
    )
    members.add(connection)
    return connection


@settings(max_examples=300, deadline=None)
@given(st.lists(_SAID, max_size=6), st.integers(1, 4))
def test_each_socket_gets_what_was_said_to_it_in_order_and_in_one_write(
    said: list[Said], count: int
) -> None:
    members = ConnectionSet()
    there = [_join(members) for _ in range(count)]
    wanted: dict[RoomConnection, list[str | bytes]] = {member: [] for member in there}
    closed: set[RoomConnection] = set()
    outputs: list[Output] = []
    for number, (kind, place, joins) in enumerate(said):
        text = str(number)
        one = there[place % len(there)]
        upto = members.latest_serial
        if kind == "close":
            outputs.append(Close(one, 4000, ""))
            closed.add(one)
        elif kind == "send":
            outputs.append(Send(one, OutgoingMessage(text)))
        else:
            only = frozenset([one]) if kind == "tagged" else None
            exclude = one if kind == "broadcast" else None
            outputs.append(Broadcast(OutgoingMessage(text), exclude, upto, only))
        for member in there:
            hears = {"close": False, "broadcast": member is not one, "all": True}
            if hears.get(kind, member is one) and member not in closed:
                wanted[member].append(text)
        if joins:
            late = _join(members)
            there.append(late)
            wanted[late] = []
    meter = Meter(ObjectIds(b"test").from_name("test", "one"), 0)
    OutputDelivery(members, limit_bytes=1_000, overflow_reason="", meter=meter).deliver(outputs)
    for member, texts in wanted.items():
        socket = member.transport
        assert isinstance(socket, MemorySocket)
        assert socket.writes == ([texts] if texts else [])
        assert (socket.closed is not None) == (member in closed)
