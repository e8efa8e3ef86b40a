"""A multiplexed socket whose joins a test lets through, and its language made of words."""

import asyncio
from collections.abc import Sequence

from app.core.errors import StateroomError
from app.core.frames import OutgoingMessage
from app.core.sockets import SocketSink, SocketTransport
from app.core.tasks import TaskOwner
from app.sdk.multiplexing import Action, Deliver, Fail, Open, Reply, Shut
from app.testing.clock import FakeClock
from app.testing.sockets import MemorySocket
from app.web.channels import ChannelSocket


class Words:
    """`open a`, `shut a`, `a:payload`, `reply text`, `fail`."""

    def __init__(self) -> None:
        self.over: list[str] = []

    def receive(self, message: str | bytes, now: float) -> Sequence[Action]:
        del now
        text = str(message)
        word, _, rest = text.partition(" ")
        match word:
            case "open":
                return [Open(channel=rest, path_suffix=f"path/{rest}", accepted=f"opened {rest}")]
            case "shut":
                return [Shut(channel=rest)]
            case "reply":
                return [Reply(text=rest)]
            case "fail":
                return [Fail(code=1007, reason="failed")]
        channel, _, payload = text.partition(":")
        return [Deliver(channel=channel, payload=payload)]

    def wrap(self, channel: str, payload: str) -> str:
        return f"{channel}:{payload}"

    def finished(self, channel: str) -> None:
        self.over.append(channel)


class Member:
    """A channel at its object."""

    def __init__(self, suffix: str, transport: SocketTransport) -> None:
        self.suffix = suffix
        self.transport = transport
        self.heard: list[str | bytes] = []
        self.ends: list[tuple[int, str, bool]] = []

    def receive(self, message: str | bytes) -> None:
        self.heard.append(message)

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        self.ends.append((code, reason, clean))

    def say(self, *texts: str) -> None:
        self.transport.send([OutgoingMessage(text) for text in texts])


class Bench:
    """A multiplexed socket whose joins a test lets through."""

    def __init__(self) -> None:
        self.socket = MemorySocket()
        self.words = Words()
        self.tasks = TaskOwner("test")
        self.doors: dict[str, list[asyncio.Future[None]]] = {}
        self.members: dict[str, Member] = {}
        self.all_members: list[Member] = []
        self.held = False
        self.resumed: list[str] = []
        self.resumable = True
        self.errors: list[Exception] = []
        self.gone_at_once = 0
        self.turns = asyncio.Semaphore(2)
        self.patience_seconds = 10.0
        self.clock = FakeClock()
        self.channels = ChannelSocket(
            multiplexer=self.words,
            transport=self.socket,
            objects=self,
            clock=self.clock,
            tasks=self.tasks,
        )
        self.socket.attach(self.channels)

    async def join(self, suffix: str, transport: SocketTransport, *, resumed: bool) -> SocketSink:
        name = suffix.removeprefix("path/")
        if resumed:
            self.resumed.append(name)
        if self.held:
            door: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.doors.setdefault(name, []).append(door)
            await door
        if self.errors:
            raise self.errors.pop(0)
        member = self.members[name] = Member(suffix, transport)
        self.all_members.append(member)
        member.say(f"welcome to {name}")
        if self.gone_at_once:
            self.gone_at_once -= 1
            transport.let_go(1012, "service restart")
        return member

    def resumes(self, suffix: str) -> bool:
        return self.resumable

    def refuse(self, error: Exception) -> tuple[int, str]:
        code = error.code if isinstance(error, StateroomError) else "internal"
        return 1013, code

    def closed(self) -> tuple[int, str] | None:
        return self.socket.closed

    def let_in(self, name: str) -> None:
        self.doors[name].pop(0).set_result(None)

    def turn_away(self, name: str, error: Exception) -> None:
        self.doors[name].pop(0).set_exception(error)

    async def settle(self) -> None:
        for _ in range(20):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future

    async def say(self, *texts: str) -> None:
        for text in texts:
            self.socket.say(text)
        await self.settle()
