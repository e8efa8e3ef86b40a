"""One channel of a multiplexed socket: the client's end of it stays, its object may come and go.

Each time the channel joins its object it gets a transport of its own, so that nothing of a room
that is gone can be taken for something of the next. While there is no object to give it to, what
the client says waits here.
"""

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from ..core.frames import OutgoingMessage
from ..core.sockets import SocketSink
from .comeback import Comeback

_WENT_AWAY = (1012, "")


class ChannelState(Enum):
    """Where a channel stands.

    OPENING: not at its object yet, or the client was not told. JOINED: at its object. LOST: the
    object went away, and the channel is on its way to the next room. LEFT: over.
    """

    OPENING = auto()
    JOINED = auto()
    LOST = auto()
    LEFT = auto()


TRANSITIONS: dict[ChannelState, frozenset[ChannelState]] = {
    ChannelState.OPENING: frozenset({ChannelState.JOINED, ChannelState.LOST, ChannelState.LEFT}),
    ChannelState.JOINED: frozenset({ChannelState.LOST, ChannelState.LEFT}),
    ChannelState.LOST: frozenset({ChannelState.JOINED, ChannelState.LEFT}),
    ChannelState.LEFT: frozenset(),
}


class ChannelOwner(Protocol):
    """What a channel asks of its socket."""

    @property
    def buffered_bytes(self) -> int:
        """What all channels have sent and the client has not taken."""
        ...

    def say(self, channel: "Channel", messages: Sequence[OutgoingMessage]) -> None:
        """Send messages of a channel to the client."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the socket: an object meant to."""
        ...

    def abort(self) -> None:
        """Drop the socket."""
        ...

    def lost(self, channel: "Channel", code: int, reason: str) -> None:
        """A channel's object went away."""
        ...

    def waits(self, channel: "Channel", count: int) -> None:
        """So many more characters of the client wait for a channel's object (or fewer)."""
        ...

    def pause(self, channel: "Channel") -> None:
        """A channel's object is full: the whole socket waits for it."""
        ...

    def resume(self, channel: "Channel") -> None:
        """A channel's object has room again, or is nobody's business any more."""
        ...


class Channel:
    """See the module.

    Args:
        owner: The socket.
        name: What the client calls it.
        suffix: The path of its object, from the socket's own.
        comeback: How often it may come back.
    """

    def __init__(self, owner: ChannelOwner, name: str, suffix: str, comeback: Comeback) -> None:
        self.owner = owner
        self.name = name
        self.suffix = suffix
        self.comeback = comeback
        self.state = ChannelState.OPENING
        self.transport = ChannelTransport(self)
        self.sink: SocketSink | None = None
        """Where the object is; messages are given to it in JOINED only."""
        self._waiting: deque[str] = deque()
        self._waiting_chars = 0

    @property
    def left(self) -> bool:
        """Whether the channel is over."""
        return self.state is ChannelState.LEFT

    def new_transport(self) -> "ChannelTransport":
        """The transport for the next try to join; what the one before says is not heard."""
        self.transport = ChannelTransport(self)
        return self.transport

    def join(self) -> None:
        """The object has the channel and the client knows of it: let what waited go on."""
        self._move(ChannelState.JOINED)
        self.transport.release()
        while self._waiting and self.state is ChannelState.JOINED:
            self._give(self._next_waiting())

    def lose(self) -> None:
        """The object went away; perhaps again, before the channel was back."""
        if self.state is not ChannelState.LOST:
            self._move(ChannelState.LOST)
        sink, self.sink = self.sink, None
        self.owner.resume(self)
        if sink is not None:
            sink.ended(*_WENT_AWAY, clean=True)

    def leave(self, code: int, reason: str, *, clean: bool) -> None:
        """The client has left the channel, or is gone."""
        if self.left:
            return
        self._move(ChannelState.LEFT)
        self._waiting.clear()
        self._count(-self._waiting_chars)
        self.owner.resume(self)
        if self.sink is not None:
            self.sink.ended(code, reason, clean=clean)

    def receive(self, payload: str) -> None:
        """Take a message of the client: for the object now, or for when there is one."""
        if self.state is ChannelState.JOINED and not self._waiting:
            self._give(payload)
        else:
            self._waiting.append(payload)
            self._count(len(payload))

    def _give(self, payload: str) -> None:
        if self.sink is not None:
            self.sink.receive(payload)

    def _next_waiting(self) -> str:
        payload = self._waiting.popleft()
        self._count(-len(payload))
        return payload

    def _count(self, change: int) -> None:
        self._waiting_chars += change
        self.owner.waits(self, change)

    def _move(self, state: ChannelState) -> None:
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"a channel cannot go from {self.state.name} to {state.name}")
        self.state = state


class ChannelTransport:
    """What the object of one channel sends through: a `SocketTransport`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._held: list[OutgoingMessage] | None = []  # until the channel has joined
        self._held_bytes = 0
        self.gone: tuple[int, str] | None = None
        """How the object let go of the channel, if it did before it had joined."""

    @property
    def _current(self) -> bool:
        channel = self._channel
        return channel.transport is self and channel.state is not ChannelState.LEFT

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`: the socket's, which all channels share.

        What waits for the client to know the channel counts as well, or it would have no bound.
        """
        return self._channel.owner.buffered_bytes + self._held_bytes

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._held is not None:
            self._held.extend(messages)
            self._held_bytes += sum(message.size for message in messages)
        elif self._current:
            self._channel.owner.say(self._channel, messages)

    def release(self) -> None:
        """The channel has joined: what its object said so far may follow."""
        held, self._held = self._held, None
        self._held_bytes = 0
        if held:
            self.send(held)

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`: there is no closing of single channels by the server."""
        if self._current:
            self._channel.owner.close(code, reason)

    def let_go(self, code: int, reason: str) -> None:
        """See `SocketTransport.let_go`."""
        if not self._current:
            return
        if self._channel.state is ChannelState.JOINED:
            self._channel.owner.lost(self._channel, code, reason)
        elif self.gone is None:
            self.gone = (code, reason)

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        if self._current:
            self._channel.owner.abort()

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`."""
        if self._current:
            self._channel.owner.pause(self._channel)

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        if self._current:
            self._channel.owner.resume(self._channel)
