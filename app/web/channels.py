"""A multiplexed socket: one client, several channels, each a connection of its own object.

The splitting is the object class's (`sdk.SocketMultiplexer`, no I/O); here its actions are
carried out: channels join their objects, messages go in and come back wrapped, and one refused
channel closes the socket. When an object goes away (its worker died or drained), its channel is
brought to the object's next room where the class allows it, and the client notices nothing; what
it says meanwhile waits. Only a channel that cannot be brought back in time closes the socket.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from ..core.clock import Clock
from ..core.errors import LinkBroken, StateroomError, WorkerLeaving
from ..core.frames import OutgoingMessage
from ..core.sockets import SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..sdk.multiplexing import Deliver, Fail, Open, Reply, Shut, SocketMultiplexer
from .channel import Channel, ChannelState
from .comeback import Comeback

_log = structlog.get_logger("stateroom.channels")

_WAITING_CHARS = 16 << 20
"""What may wait in one socket for objects that are on their way."""
_TRY_SECONDS = 1.0
"""How long one try to come back may take, so that those that wait have their turn."""
_LEFT = 1000
_COME_BACK = (1012, "service restart")


class ChannelObjects(Protocol):
    """The objects behind the channels of one socket."""

    turns: asyncio.Semaphore
    """How many channels of the worker come back at a time."""
    patience_seconds: float
    """How long a channel's object is looked for."""

    async def join(self, suffix: str, transport: SocketTransport, *, resumed: bool) -> SocketSink:
        """Bring a channel to its object.

        Raises:
            StateroomError: It could not be; nothing was sent to the transport.
        """
        ...

    def resumes(self, suffix: str) -> bool:
        """Whether a channel may be brought to the object's next room."""
        ...

    def refuse(self, error: Exception) -> tuple[int, str]:
        """The close code and reason for an error."""
        ...


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
        objects: Where channels go.
        clock: For the multiplexer's time-outs and for pauses between tries.
        tasks: Owner of joins under way.
    """

    def __init__(
        self,
        *,
        multiplexer: SocketMultiplexer,
        transport: SocketTransport,
        objects: ChannelObjects,
        clock: Clock,
        tasks: TaskOwner,
    ) -> None:
        self._transport = transport
        self._multiplexer = multiplexer
        self._objects = objects
        self._clock = clock
        self._tasks = tasks
        self._channels: dict[str, Channel] = {}
        self._joins: dict[str, asyncio.Task[None]] = {}
        self._paused: set[Channel] = set()
        self._answers: deque[_Answer] = deque()
        self._waiting_chars = 0
        self._deaf = False
        self._gone = False

    # -- the client's side (SocketSink) --------------------------------------------------------

    def receive(self, message: str | bytes) -> None:
        """See `SocketSink.receive`."""
        if self._deaf:
            return
        for action in self._multiplexer.receive(message, self._clock.monotonic()):
            match action:
                case Deliver():
                    self._channels[action.channel].receive(action.payload)
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
            channel.leave(code, reason, clean=clean)
        self._channels.clear()

    # -- the channels' side (ChannelOwner) -----------------------------------------------------

    @property
    def buffered_bytes(self) -> int:
        """What all channels have sent and the client has not taken."""
        return self._transport.buffered_bytes

    def say(self, channel: Channel, messages: Sequence[OutgoingMessage]) -> None:
        """Send messages of a channel to the client."""
        name, wrap = channel.name, self.wrap
        self._transport.send([message.wrapped(name, wrap) for message in messages])

    def wrap(self, channel: str, payload: bytes) -> bytes:
        """A channel's message as the socket carries it."""
        return self._multiplexer.wrap(channel, payload.decode("utf-8", "surrogatepass")).encode(
            "utf-8", "surrogatepass"
        )

    def close(self, code: int, reason: str) -> None:
        """Close the socket now, and bring nothing back any more."""
        self._deaf = True
        self._transport.close(code, reason)

    def abort(self) -> None:
        """Drop the socket."""
        self._deaf = True
        self._transport.abort()

    def lost(self, channel: Channel, code: int, reason: str) -> None:
        """A channel's object went away: bring it back, or close the socket."""
        if self._deaf:
            return
        if not self._objects.resumes(channel.suffix):
            self.close(code, reason)
            return
        channel.lose()
        channel.comeback.lost(self._clock.monotonic())
        before = self._joins.get(channel.name)
        self._start(channel, self._come_back(channel, (code, reason), before))

    def waits(self, channel: Channel, count: int) -> None:
        """So many more characters of the client wait for a channel's object (or fewer)."""
        self._waiting_chars += count
        if self._waiting_chars > _WAITING_CHARS and not self._deaf:
            comes_back = channel.state is ChannelState.LOST
            self._fail(*(_COME_BACK if comes_back else (1013, "overloaded")))

    def pause(self, channel: Channel) -> None:
        """A channel's object is full: the whole socket waits for it."""
        self._paused.add(channel)
        self._transport.pause_reading()

    def resume(self, channel: Channel) -> None:
        """A channel's object has room again, or is nobody's business any more."""
        self._paused.discard(channel)
        if not self._paused:
            self._transport.resume_reading()

    # -- answers, in order ---------------------------------------------------------------------

    def _answer(self, say: str | None, then: Callable[[], None]) -> None:
        self._answers.append(_Answer(say, ready=True, then=then))
        self._flush()

    def _fail(self, code: int, reason: str) -> None:
        """Close the socket, after the answers to what came before."""
        self._deaf = True
        self._answer(None, lambda: self._transport.close(code, reason))

    def _flush(self) -> None:
        while self._answers and self._answers[0].ready:
            answer = self._answers.popleft()
            if answer.say is not None:
                self._transport.send([OutgoingMessage(answer.say)])
            answer.then()

    def _let_go(self, answer: _Answer) -> None:
        answer.ready = True
        if not self._gone:
            self._flush()

    # -- channels come and go ------------------------------------------------------------------

    def _open(self, action: Open) -> None:
        comeback = Comeback(self._objects.patience_seconds)
        comeback.lost(self._clock.monotonic())
        channel = Channel(self, action.channel, action.path_suffix, comeback)
        self._channels[action.channel] = channel
        answer = _Answer(action.accepted, ready=False, then=_nothing)
        self._answers.append(answer)
        self._start(channel, self._finish_open(channel, answer, self._joins.get(channel.name)))

    async def _finish_open(
        self, channel: Channel, answer: _Answer, before: asyncio.Task[None] | None
    ) -> None:
        """Join the object, after an earlier channel of that name has gone through the same."""
        if before is not None:
            await asyncio.wait([before])
        try:
            if await self._bring(channel, resumed=False):
                answer.then = lambda: self._begin(channel)
            self._let_go(answer)
        except Exception as error:  # whatever it is, the answers behind this one must not wait
            self._deaf = True
            answer.say = None
            code, reason = self._objects.refuse(error)
            answer.then = lambda: self._transport.close(code, reason)
            self._let_go(answer)
            if not isinstance(error, StateroomError):
                raise

    def leave(self, code: int, reason: str) -> None:
        """The worker goes away: close the socket, so that its client comes back elsewhere."""
        self.close(code, reason)

    async def _come_back(
        self, channel: Channel, parting: tuple[int, str], before: asyncio.Task[None] | None
    ) -> None:
        """Bring a channel to its object's next room; close the socket if that cannot be done."""
        if before is not None:
            await asyncio.wait([before])
        try:
            if await self._bring(channel, resumed=True):
                self._begin(channel)
        except StateroomError as error:
            _log.warning("channel_given_up", code=error.code)
            self._fail(*(parting if error.retryable else self._objects.refuse(error)))
        except BaseException:
            self._fail(*parting)
            raise

    def _begin(self, channel: Channel) -> None:
        """The client knows the channel, and its object has it."""
        gone = channel.transport.gone
        if channel.left:
            return
        if gone is not None:
            self.lost(channel, *gone)
            return
        if channel.state is ChannelState.OPENING:
            channel.comeback = Comeback(self._objects.patience_seconds)
        else:
            channel.comeback.joined(self._clock.monotonic())
            _log.debug("channel_came_back")
        channel.join()

    async def _bring(self, channel: Channel, *, resumed: bool) -> bool:
        """Join the channel's object, however often that takes; False when the channel is over.

        Raises:
            StateroomError: It cannot be joined, or not in time.
        """
        comeback = channel.comeback
        while True:
            if (pause := comeback.next_pause()) > 0:
                await self._clock.sleep(pause)
            if resumed and self._over(channel):
                return False
            try:
                channel.sink = sink = await self._try(channel, resumed=resumed)
            except StateroomError as error:
                late = comeback.left_seconds(self._clock.monotonic()) <= 0
                if late or not _passing(error, resumed=resumed):
                    raise
                continue
            if self._over(channel):
                sink.ended(_LEFT, "", clean=True)
                return False
            return True

    async def _try(self, channel: Channel, *, resumed: bool) -> SocketSink:
        left = channel.comeback.left_seconds(self._clock.monotonic())
        if left <= 0:
            raise LinkBroken("the object went away again and again")
        objects = self._objects
        transport = channel.new_transport()
        try:
            if not resumed:
                async with asyncio.timeout(left):
                    return await objects.join(channel.suffix, transport, resumed=False)
            async with objects.turns, asyncio.timeout(min(left, _TRY_SECONDS)):
                return await objects.join(channel.suffix, transport, resumed=True)
        except TimeoutError as error:
            raise LinkBroken("the object could not be joined in time") from error

    def _over(self, channel: Channel) -> bool:
        return channel.left or self._gone

    def _start(self, channel: Channel, work: Coroutine[object, object, None]) -> None:
        task = self._tasks.start(work, name="channel-join")
        self._joins[channel.name] = task
        task.add_done_callback(lambda _: self._joined(channel.name, task))

    def _joined(self, name: str, task: asyncio.Task[None]) -> None:
        if self._joins.get(name) is task:
            del self._joins[name]

    def _shut(self, name: str) -> None:
        self._channels.pop(name).leave(_LEFT, "", clean=True)
        self._multiplexer.finished(name)


def _passing(error: StateroomError, *, resumed: bool) -> bool:
    """Whether it may be otherwise in a moment.

    A worker that is leaving and has nobody to pass the channel on to will not have one later. For
    a client that opens a channel only the link is tried again: it waits for an answer.
    """
    if isinstance(error, LinkBroken):
        return True
    return resumed and error.retryable and not isinstance(error, WorkerLeaving)


def _nothing() -> None:
    """Nothing follows."""
