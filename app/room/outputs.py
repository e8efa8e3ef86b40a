"""What an event says: sends, broadcasts and closes, and how they reach the sockets.

Recipients of a broadcast are those that were connected when it was made. Messages that leave at
the same time are grouped, so that each socket gets one write.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ..core.bursts import Burst
from ..core.frames import OutgoingMessage
from .connections import OPEN, ConnectionSet, RoomConnection
from .meter import Meter


class Send:
    """One message to one connection. No tuple, as one is made for nearly every message."""

    __slots__ = ("message", "to")

    def __init__(self, to: RoomConnection, message: OutgoingMessage) -> None:
        self.to: Final = to
        self.message: Final = message


class Broadcast:
    """One message to all members up to `upto`, but one; `only` to those, if it says whom."""

    __slots__ = ("exclude", "message", "only", "upto")

    def __init__(
        self,
        message: OutgoingMessage,
        exclude: RoomConnection | None,
        upto: int,
        only: frozenset[RoomConnection] | None,
    ) -> None:
        self.message: Final = message
        self.exclude: Final = exclude
        self.upto: Final = upto
        self.only: Final = only


class Close(NamedTuple):
    """The end of one connection, after what was sent to it before.

    With `again` a transport that can come back to the object may do that.
    """

    to: RoomConnection
    code: int
    reason: str
    again: bool = False

    def run(self) -> None:
        """Close it now."""
        end = self.to.let_go if self.again else self.to.shut
        end(self.code, self.reason)


class Release(NamedTuple):
    """Something that waits for the gate and is no socket's: an HTTP answer."""

    run: Callable[[], None]


class Depart(NamedTuple):
    """What leaves as a message would and is no socket's: a call, a piece of an answer."""

    run: Callable[[], None]
    size_bytes: int


Output = Send | Broadcast | Close | Release | Depart


def bytes_of(outputs: Sequence[Output]) -> int:
    """How much memory the messages of some outputs hold; one that goes to many counts once."""
    size = 0
    for output in outputs:
        if isinstance(output, (Broadcast, Send)):
            size += output.message.size
        elif isinstance(output, Depart):
            size += output.size_bytes
    return size


class OutputDelivery:
    """Hands outputs to sockets.

    Args:
        members: The room's connections.
        limit_bytes: The most that may wait in one socket.
        overflow_reason: The close reason of a socket beyond that.
        meter: Counts what leaves.
    """

    __slots__ = ("_limit", "_members", "_meter", "_reason")

    def __init__(
        self, members: ConnectionSet, *, limit_bytes: int, overflow_reason: str, meter: Meter
    ) -> None:
        self._members = members
        self._limit = limit_bytes
        self._reason = overflow_reason
        self._meter = meter

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Deliver in order. Every output given here has passed the gate and the lease check."""
        if len(outputs) == 1:
            self._deliver_one(outputs[0])
            return
        broadcasts: list[Broadcast] = []
        for output in outputs:
            if not isinstance(output, Broadcast) or output.only is not None:
                self._deliver_mixed(outputs)
                return
            broadcasts.append(output)
        if broadcasts:
            self._deliver_broadcasts(broadcasts)

    def _deliver_one(self, output: Output) -> None:
        if isinstance(output, Broadcast):
            message = output.message
            recipients = self._recipients(output)
            self._hand_to_all(recipients, (message,), message.size)
        elif isinstance(output, Send):
            self._hand_over(output.to, (output.message,))
        else:
            self._run(output)

    def _deliver_broadcasts(self, broadcasts: list[Broadcast]) -> None:
        """The common case of a busy room: each member gets all but its own.

        Who said none of them gets the same bytes as all others who did not, joined once.
        """
        everything = Burst([output.message for output in broadcasts])
        senders = {output.exclude for output in broadcasts}
        upto = min([output.upto for output in broadcasts])
        listeners: list[RoomConnection] = []
        others: list[RoomConnection] = []
        for member in self._members:
            if member in senders or member.serial > upto:
                others.append(member)
            else:
                listeners.append(member)
        self._hand_to_all(listeners, everything, everything.size)
        for member in others:
            serial = member.serial
            messages = [
                output.message
                for output in broadcasts
                if output.exclude is not member and serial <= output.upto
            ]
            if messages:
                self._hand_over(member, messages)

    def _deliver_mixed(self, outputs: Sequence[Output]) -> None:
        """Anything at all: what one socket gets is collected, up to its end."""
        waiting: dict[RoomConnection, list[OutgoingMessage]] = {}
        for output in outputs:
            if isinstance(output, Send):
                waiting.setdefault(output.to, []).append(output.message)
            elif isinstance(output, Broadcast):
                for member in self._recipients(output):
                    waiting.setdefault(member, []).append(output.message)
            else:
                if isinstance(output, Close) and (messages := waiting.pop(output.to, None)):
                    self._hand_over(output.to, messages)
                self._run(output)
        for member, messages in waiting.items():
            self._hand_over(member, messages)

    def _run(self, output: Close | Release | Depart) -> None:
        if isinstance(output, Depart):
            self._meter.bytes_out += output.size_bytes
        output.run()

    def _recipients(self, output: Broadcast) -> list[RoomConnection]:
        exclude, upto, only = output.exclude, output.upto, output.only
        members = self._members
        if only is not None:
            return [
                member
                for member in members
                if member is not exclude and member.serial <= upto and member in only
            ]
        if upto >= members.latest_serial:
            return [member for member in members if member is not exclude]
        return [member for member in members if member is not exclude and member.serial <= upto]

    def _hand_to_all(
        self, members: list[RoomConnection], messages: Sequence[OutgoingMessage], size_bytes: int
    ) -> None:
        """As `RoomConnection.deliver` for each, whose costs would be counted in thousands."""
        most = self._limit - size_bytes
        sent = len(members)
        for member in members:
            if member.state is OPEN:
                transport = member.transport
                if transport.buffered_bytes > most:
                    member.shut(1013, self._reason)
                    sent -= 1
                else:
                    transport.send(messages)
            else:
                sent -= 1
        self._meter.messages_out += sent * len(messages)
        self._meter.bytes_out += sent * size_bytes

    def _hand_over(self, member: RoomConnection, messages: Sequence[OutgoingMessage]) -> None:
        size = member.deliver(messages, limit_bytes=self._limit, overflow_reason=self._reason)
        if size is not None:
            self._meter.messages_out += len(messages)
            self._meter.bytes_out += size
