"""What an event says: sends, broadcasts and closes, and how they reach the sockets.

Recipients of a broadcast are those that were connected when it was made. Messages that leave at
the same time are grouped, so that each socket gets one write.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..core.frames import OutgoingMessage
from .connections import ConnectionSet, RoomConnection


class Send(NamedTuple):
    """One message to one connection."""

    to: RoomConnection
    message: OutgoingMessage


class Broadcast(NamedTuple):
    """One message to all members up to `upto`, but one; `only` to those, if it says whom."""

    message: OutgoingMessage
    exclude: RoomConnection | None
    upto: int
    only: frozenset[RoomConnection] | None


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
    return sum(
        output.message.size
        if isinstance(output, Send | Broadcast)
        else output.size_bytes
        if isinstance(output, Depart)
        else 0
        for output in outputs
    )


class OutputDelivery:
    """Hands outputs to sockets.

    Args:
        members: The room's connections.
        limit_bytes: The most that may wait in one socket.
        overflow_reason: The close reason of a socket beyond that.
    """

    def __init__(self, members: ConnectionSet, *, limit_bytes: int, overflow_reason: str) -> None:
        self._members = members
        self._limit = limit_bytes
        self._reason = overflow_reason

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Deliver in order. Every output given here has passed the gate and the lease check."""
        if len(outputs) == 1:
            self._deliver_one(outputs[0])
            return
        if all(type(output) is Broadcast for output in outputs):
            self._deliver_broadcasts(outputs)  # type: ignore[arg-type]  # just checked
            return
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
                output.run()
        for member, messages in waiting.items():
            self._hand_over(member, messages)

    def _deliver_one(self, output: Output) -> None:
        if isinstance(output, Broadcast):
            messages = (output.message,)
            for member in self._recipients(output):
                self._hand_over(member, messages)
        elif isinstance(output, Send):
            self._hand_over(output.to, (output.message,))
        else:
            output.run()

    def _deliver_broadcasts(self, broadcasts: Sequence[Broadcast]) -> None:
        """The common case of a busy room: each member gets all but its own."""
        for member in list(self._members):
            serial = member.serial
            messages = [
                output.message
                for output in broadcasts
                if output.exclude is not member
                and serial <= output.upto
                and (output.only is None or member in output.only)
            ]
            if messages:
                self._hand_over(member, messages)

    def _recipients(self, output: Broadcast) -> Iterable[RoomConnection]:
        _, exclude, upto, only = output
        return [
            member
            for member in self._members
            if member is not exclude and member.serial <= upto and (only is None or member in only)
        ]

    def _hand_over(self, member: RoomConnection, messages: Sequence[OutgoingMessage]) -> None:
        member.deliver(messages, limit_bytes=self._limit, overflow_reason=self._reason)
