"""A multiplexed socket: one client, several channels, each a connection of its own object.

The splitting is the object class's (`sdk.SocketMultiplexer`, no I/O); here its actions are
carried out: channels join their objects, messages go in and come back wrapped, and one refused
channel closes the socket.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.frames import OutgoingMessage
from ..core.sockets import SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..sdk.multiplexing import Deliver, Fail, Open, Reply, Shut, SocketMultiplexer

Join = Callable[[str, SocketTransport], Awaitable[SocketSink]]
"""Bring a channel to its object: path suffix and transport; raises StateroomError."""

_WAITING_BYTES = 16 << 20
_LEFT = 1000


class ChannelTransport:
    """What the object of one channel sends through."""

    def __init__(self, socket: "ChannelSocket", channel: str) -> None:
        self._socket = socket
        self._channel = channel
        self.sink: SocketSink | None = None
        self.left = False
        self.waiting: deque[str] = deque()
        self._held: list[OutgoingMessage] | None = []  # until the client was told
        self._held_bytes = 0

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`: the socket's, which all channels share.

        What waits for the client to know the channel counts as well, or it would have no bound.
        """
        return self._socket.transport.buffered_bytes + self._held_bytes

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._held is not None:
            self._held.extend(messages)
            self._held_bytes += sum(message.size for message in messages)
        elif not self.left:
            wrap = self._socket.wrap
            channel = self._channel
            self._socket.transport.send([message.wrapped(channel, wrap) for message in messages])

    @property
    def begun(self) -> bool:
        """Whether the client knows that the channel is open."""
        return self._held is None

    def release(self) -> None:
        """The client knows the channel: what its object said so far may follow."""
        held, self._held = self._held, None
        self._held_bytes = 0
        if held:
            self.send(held)

    def close(self, code: int, reason: str) -> None:
        """See `SocketTransport.close`: there is no closing of single channels by the server."""
        if not self.left:
            self._socket.transport.close(code, reason)

    def abort(self) -> None:
        """See `SocketTransport.abort`."""
        if not self.left:
            self._socket.transport.abort()

    def pause_reading(self) -> None:
        """See `SocketTransport.pause_reading`: the whole socket waits for one full object."""
        self._socket.pause(self)

    def resume_reading(self) -> None:
        """See `SocketTransport.resume_reading`."""
        self._socket.resume(self)


@dataclass(slots=True)
class _Answer:
    """What the client is to be told, in its turn.

    Attributes:
        say: The text, or None for nothing.
        ready: Whether it may be said; an opening channel's is not until its object took it.
        then: What follows directly behind the text.
    """

    say: str | None
    ready: bool
    then: Callable[[], None]


class ChannelSocket:
    """The `SocketSink` of a multiplexed socket.

    Channels join their objects side by side; what the client is told about it keeps the order
    of what it asked.

    Args:
        multiplexer: Splits the socket.
        transport: The socket itself.
        join: Brings a channel to its object.
        refuse: The close code and reason for an error.
        clock: For the multiplexer's time-outs.
        tasks: Owner of joins under way.
    """

    def __init__(
        self,
        *,
        multiplexer: SocketMultiplexer,
        transport: SocketTransport,
        join: Join,
        refuse: Callable[[Exception], tuple[int, str]],
        clock: Clock,
        tasks: TaskOwner,
    ) -> None:
        self.transport = transport
        self._multiplexer = multiplexer
        self._join = join
        self._refuse = refuse
        self._clock = clock
        self._tasks = tasks
        self._channels: dict[str, ChannelTransport] = {}
        self._joins: dict[str, asyncio.Task[None]] = {}
        self._paused: set[ChannelTransport] = set()
        self._answers: deque[_Answer] = deque()
        self._waiting_bytes = 0
        self._deaf = False
        self._gone = False

    def wrap(self, channel: str, payload: bytes) -> bytes:
        """A channel's message as the socket carries it."""
        return self._multiplexer.wrap(channel, payload.decode("utf-8", "surrogatepass")).encode(
            "utf-8", "surrogatepass"
        )

    def receive(self, message: str | bytes) -> None:
        """See `SocketSink.receive`."""
        if self._deaf:
            return
        for action in self._multiplexer.receive(message, self._clock.monotonic()):
            match action:
                case Deliver():
                    self._deliver(self._channels[action.channel], action.payload)
                case Reply():
                    self._answer(action.text, _nothing)
                case Open():
                    self._open(action)
                case Shut():
                    self._shut(action.channel)
                case Fail():
                    self._fail(action.code, action.reason)

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """See `SocketSink.ended`."""
        self._deaf = self._gone = True
        self._answers.clear()
        for channel in self._channels.values():
            self._leave(channel, code, reason, clean=clean)
        self._channels.clear()

    def pause(self, channel: ChannelTransport) -> None:
        """One channel's object is full."""
        self._paused.add(channel)
        self.transport.pause_reading()

    def resume(self, channel: ChannelTransport) -> None:
        """One channel's object has room again."""
        self._paused.discard(channel)
        if not self._paused:
            self.transport.resume_reading()

    def _answer(self, say: str | None, then: Callable[[], None]) -> None:
        self._answers.append(_Answer(say, ready=True, then=then))
        self._flush()

    def _fail(self, code: int, reason: str) -> None:
        """Close the socket, after the answers to what came before."""
        self._deaf = True
        self._answer(None, lambda: self.transport.close(code, reason))

    def _flush(self) -> None:
        while self._answers and self._answers[0].ready:
            answer = self._answers.popleft()
            if answer.say is not None:
                self.transport.send([OutgoingMessage(answer.say)])
            answer.then()

    def _open(self, action: Open) -> None:
        channel = ChannelTransport(self, action.channel)
        self._channels[action.channel] = channel
        answer = _Answer(action.accepted, ready=False, then=_nothing)
        self._answers.append(answer)
        before = self._joins.get(action.channel)
        join = self._finish_open(channel, action, answer, before)
        self._joins[action.channel] = self._tasks.start(join, name="channel-join")

    async def _finish_open(
        self,
        channel: ChannelTransport,
        action: Open,
        answer: _Answer,
        before: asyncio.Task[None] | None,
    ) -> None:
        """Join the object, after an earlier channel of that name has gone through the same."""
        if before is not None:
            await asyncio.wait([before])
        try:
            sink = await self._join(action.path_suffix, channel)
        except Exception as error:  # whatever it is, the answers behind this one must not wait
            self._refuse_all(answer, error)
            if not isinstance(error, StateroomError):
                raise
        else:
            channel.sink = sink
            if channel.left or self._gone:
                sink.ended(_LEFT, "", clean=True)
            else:
                answer.then = lambda: self._begin(channel, sink)
            self._let_go(answer)
        finally:
            if self._joins.get(action.channel) is asyncio.current_task():
                del self._joins[action.channel]

    def _refuse_all(self, answer: _Answer, error: Exception) -> None:
        """An object did not take its channel: close the socket in the turn of its answer."""
        self._deaf = True
        answer.say = None
        code, reason = self._refuse(error)
        answer.then = lambda: self.transport.close(code, reason)
        self._let_go(answer)

    def _let_go(self, answer: _Answer) -> None:
        answer.ready = True
        if not self._gone:
            self._flush()

    def _begin(self, channel: ChannelTransport, sink: SocketSink) -> None:
        """The client knows the channel: let what waited on either side go on."""
        channel.release()
        while channel.waiting:
            payload = channel.waiting.popleft()
            self._waiting_bytes -= len(payload)
            sink.receive(payload)

    def _deliver(self, channel: ChannelTransport, payload: str) -> None:
        if channel.begun and channel.sink is not None:
            channel.sink.receive(payload)
            return
        self._waiting_bytes += len(payload)
        if self._waiting_bytes > _WAITING_BYTES:
            self._fail(1013, "overloaded")
        else:
            channel.waiting.append(payload)

    def _shut(self, name: str) -> None:
        self._leave(self._channels.pop(name), _LEFT, "", clean=True)
        self._multiplexer.finished(name)

    def _leave(self, channel: ChannelTransport, code: int, reason: str, *, clean: bool) -> None:
        channel.left = True
        self._waiting_bytes -= sum(len(payload) for payload in channel.waiting)
        channel.waiting.clear()
        self.resume(channel)
        if channel.sink is not None:
            channel.sink.ended(code, reason, clean=clean)


def _nothing() -> None:
    """Nothing follows."""
