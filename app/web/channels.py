"""A multiplexed socket: one client, several channels, each a connection of its own object.

The splitting is the object class's (`sdk.SocketMultiplexer`, no I/O); here its actions are
carried out: channels join their objects, messages go in and come back wrapped, and one refused
channel closes the socket.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

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

    @property
    def buffered_bytes(self) -> int:
        """See `SocketTransport.buffered_bytes`: the socket's, which all channels share."""
        return self._socket.transport.buffered_bytes

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """See `SocketTransport.send`."""
        if self._held is not None:
            self._held.extend(messages)
        elif not self.left:
            wrap = self._socket.wrap
            channel = self._channel
            self._socket.transport.send([message.wrapped(channel, wrap) for message in messages])

    def release(self) -> None:
        """The client knows the channel: what its object said so far may follow."""
        held, self._held = self._held, None
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


class ChannelSocket:
    """The `SocketSink` of a multiplexed socket.

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
        refuse: Callable[[StateroomError], tuple[int, str]],
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
        self._paused: set[ChannelTransport] = set()
        self._waiting_bytes = 0
        self._over = False

    def wrap(self, channel: str, payload: bytes) -> bytes:
        """A channel's message as the socket carries it."""
        return self._multiplexer.wrap(channel, payload.decode("utf-8", "surrogatepass")).encode(
            "utf-8", "surrogatepass"
        )

    def receive(self, message: str | bytes) -> None:
        """See `SocketSink.receive`."""
        if self._over:
            return
        for action in self._multiplexer.receive(message, self._clock.monotonic()):
            match action:
                case Deliver():
                    self._deliver(self._channels[action.channel], action.payload)
                case Reply():
                    self.transport.send([OutgoingMessage(action.text)])
                case Open():
                    self._open(action)
                case Shut():
                    self._shut(action.channel)
                case Fail():
                    self._over = True
                    self.transport.close(action.code, action.reason)

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """See `SocketSink.ended`."""
        self._over = True
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

    def _open(self, action: Open) -> None:
        channel = ChannelTransport(self, action.channel)
        self._channels[action.channel] = channel
        self._tasks.start(self._finish_open(channel, action), name="channel-join")

    async def _finish_open(self, channel: ChannelTransport, action: Open) -> None:
        try:
            sink = await self._join(action.path_suffix, channel)
        except StateroomError as error:
            if not channel.left and not self._over:
                self._over = True
                self.transport.close(*self._refuse(error))
            return
        channel.sink = sink
        if channel.left or self._over:
            sink.ended(_LEFT, "", clean=True)
            return
        self.transport.send([OutgoingMessage(action.accepted)])
        channel.release()
        while channel.waiting:
            payload = channel.waiting.popleft()
            self._waiting_bytes -= len(payload)
            sink.receive(payload)

    def _deliver(self, channel: ChannelTransport, payload: str) -> None:
        if channel.sink is not None:
            channel.sink.receive(payload)
            return
        self._waiting_bytes += len(payload)
        if self._waiting_bytes > _WAITING_BYTES:
            self._over = True
            self.transport.close(1013, "overloaded")
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
