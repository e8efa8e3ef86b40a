"""One run of the every-edge tests: two workers, a ledger, its clients, and what must hold after.

The ledger writes down every message and request it hears, durably, and then says so. Whatever
happens to its room on the way, for each client: what was written is a prefix of what it said, each
once and in order; what was not written was told to it by a close; what was acknowledged is there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

from app.cluster.finder import OwnerFinder
from app.cluster.locator import Locator
from app.core.errors import StateroomError
from app.core.frames import OutgoingMessage
from app.core.ids import ObjectId, WorkerId
from app.core.tasks import TaskOwner
from app.core.values import Claim, LiveWorker, Page
from app.room.room import Room
from app.room.states import RoomState
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase, MemoryObjectStore
from app.testing.sockets import MemorySocket
from tests.unit.room.stepping import SteppingLoop, turn

ResultT = TypeVar("ResultT")

LEASE_SECONDS = 3.0
_FINAL = {RoomState.ACTIVE, RoomState.HIBERNATED, RoomState.GONE}


class Ledger(DurableObject):
    """Its message hook waits a step before and after it writes."""

    failing_starts: ClassVar[int] = 0

    async def on_start(self) -> None:
        await turn()
        if type(self).failing_starts:
            type(self).failing_starts -= 1
            raise RuntimeError("as asked")
        self.length: int = await self.ctx.storage.get("length", 0)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        await turn()
        self.write(str(message))
        await turn()
        connection.send("ack " + str(message))

    async def on_request(self, request: Request) -> Response:
        await turn()
        self.write(request.path)
        return Response(body="ack")

    async def on_evict(self, reason: str) -> None:
        await turn()

    def write(self, entry: str) -> None:
        if entry.endswith("crash"):
            raise RuntimeError("as asked")
        self.ctx.storage.put(f"entry {self.length:06}", entry)
        self.length += 1
        self.ctx.storage.put("length", self.length)


class PlainLedger(Ledger):
    """Hears messages inline, where it can."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:  # type: ignore[override]  # a plain hook is as good
        self.write(str(message))
        connection.send("ack " + str(message))

    def on_evict(self, reason: str) -> None:  # type: ignore[override]  # likewise
        del reason


class SlowStore(MemoryObjectStore):
    """The twin, with a step before and after everything; loads may be held back or refused."""

    held_load: asyncio.Future[None] | None = None
    refuse_releases: int = 0

    async def claim(self, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        return await _slowly(super().claim(object_id, worker_id))

    async def load(self, claim: Claim, *, rows: int, size_bytes: int) -> Page:
        if self.held_load is not None:
            await self.held_load
        return await _slowly(super().load(claim, rows=rows, size_bytes=size_bytes))

    async def release(self, claim: Claim) -> None:
        if self.refuse_releases:
            self.refuse_releases -= 1
            await turn()
            self._database.away = True
            try:
                await super().release(claim)
            finally:
                self._database.away = False
        await _slowly(super().release(claim))


async def _slowly(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    await turn()
    result = await work
    await turn()
    return result


class WatchedSocket(MemorySocket):
    """Notes what is sent while no worker may speak."""

    def __init__(self, may_speak: Callable[[], bool]) -> None:
        super().__init__()
        self._may_speak = may_speak
        self.forbidden: list[object] = []

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        if not self._may_speak():
            self.forbidden.extend(message.payload for message in messages)
        super().send(messages)


@dataclass
class Client:
    """One socket and what was said on it."""

    name: str
    socket: WatchedSocket
    said: list[str] = field(default_factory=list)
    left: bool = False
    joined: bool = False
    refused: StateroomError | None = None

    def say(self) -> None:
        """Say the next message, as far as the socket can still be written to."""
        if self.joined and not self.left and self.open:
            message = f"{self.name} {len(self.said)}"
            self.said.append(message)
            self.socket.say(message)

    def leave(self) -> None:
        """Close from the client's side."""
        if self.joined and not self.left:
            self.left = True
            self.socket.leave()

    @property
    def open(self) -> bool:
        return self.socket.closed is None and not self.socket.aborted


class LedgerStage:
    """See the module.

    Args:
        loop: Runs it; at a standstill between the calls of the driver.
        namespace: Which ledger.
    """

    def __init__(self, loop: SteppingLoop, namespace: str) -> None:
        self.loop = loop
        self.namespace = namespace
        self.clock = FakeClock()
        self.clients: dict[str, Client] = {}
        self.requests: dict[str, asyncio.Task[bool]] = {}
        self.rooms: list[Room] = []
        self._stack = AsyncExitStack()
        self._tasks = TaskOwner("stage")
        self._database = MemoryDatabase(self.clock)
        Ledger.failing_starts = PlainLedger.failing_starts = 0
        self.here = self._worker("here")
        self.there = self._worker("there")
        self.store = SlowStore(self._database)
        object.__setattr__(self.here.registry._environment, "store", self.store)
        finder = OwnerFinder(self.here.registry, clock=self.clock, patience_seconds=4.0)
        self._locator = Locator(self.here.registry, finder)
        self.object_id = self.here.object_id(namespace, "a")

    def _worker(self, node: str) -> ObjectHarness:
        return ObjectHarness(
            {"ledger": Ledger, "plain": PlainLedger},
            database=self._database,
            clock=self.clock,
            node=node,
        )

    def __enter__(self) -> Self:
        self.run(self._stack.enter_async_context(self.here))
        self.run(self._stack.enter_async_context(self.there))
        return self

    def __exit__(self, *_error: object) -> None:
        self.loop.watch = None
        self.loop.run_until_complete(self._tasks.close())
        self.loop.run_until_complete(self._stack.aclose())

    # -- driving -------------------------------------------------------------------------------

    def run(self, work: Awaitable[Any]) -> Any:
        """Run something to its end, and everything else to a standstill."""
        result = self.loop.run_until_complete(work)
        self.loop.run_until_quiet()
        return result

    def do(self, act: Callable[[], object]) -> None:
        """Do something in a step of the loop, and run everything to a standstill."""
        self.loop.call_soon(act)
        self.loop.run_until_quiet()

    def begin(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start something that may take long; to be called in a step of the loop."""
        return self._tasks.start(work, name="work")

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with a standstill four times a second."""
        for _ in range(round(seconds * 4)):
            self.do(lambda: self.clock.advance(0.25))

    @property
    def room(self) -> Room | None:
        """The live room at the first worker."""
        return self.here.live_room(self.namespace, "a")

    def the_room(self) -> Room:
        """The live room, which must be there."""
        room = self.room
        assert room is not None
        return room

    def connect(self, name: str) -> Client:
        """Begin to connect a client."""
        client = self.clients[name] = Client(name, WatchedSocket(self._may_speak))
        self.begin(self._connect(client))
        return client

    def _may_speak(self) -> bool:
        return self.here.membership.holds() or self.there.membership.holds()

    def ask(self, name: str) -> None:
        """Begin a request."""
        self.requests[name] = self.begin(self._ask(name))

    def leave(self, *, draining: bool) -> None:
        """Let the room leave, as the registry does it."""
        room = self.room
        if room is not None:
            self.here.registry._leave(room, draining=draining)

    def move(self) -> None:
        """Let the other worker have the object."""

        async def adopt() -> LiveWorker | None:
            try:
                await self.there.registry.room(self.object_id)
            except StateroomError:
                return None
            return LiveWorker(worker_id=self.there.membership.worker_id, address="")

        self.begin(self.here.registry.hand_over(self.object_id, adopt))

    def pause(self) -> None:
        """The worker stands still for longer than its lease lasts."""
        self.clock.advance(LEASE_SECONDS + 0.5)

    async def _connect(self, client: Client) -> None:
        try:
            sink = await self._locator.connect(
                self.object_id, Request(), client.socket, client.name
            )
        except StateroomError as error:
            client.refused = error
            return
        client.socket.attach(sink)
        client.joined = True
        client.say()

    async def _ask(self, name: str) -> bool:
        try:
            await self._locator.request(self.object_id, Request(path=name))
        except StateroomError:
            return False
        return True

    # -- judging -------------------------------------------------------------------------------

    def note_room(self) -> None:
        """Remember every room there has been."""
        for worker in (self.here, self.there):
            room = worker.live_room(self.namespace, "a")
            if room is not None and room not in self.rooms:
                self.rooms.append(room)

    def check(self, *, heard: int) -> None:
        """Let everything end; see the module. The first `heard` messages of alice must be there."""
        for client in self.clients.values():
            self.do(client.say)
        self.pass_time(6.0)
        assert len(self._tasks) == 0, "something hangs"
        self.note_room()
        assert {room.state for room in self.rooms} <= _FINAL
        written = self._written()
        must = self.clients["alice"].said[:heard] if heard else []
        assert [entry for entry in must if entry not in written] == []
        for client in self.clients.values():
            self._check_client(client, [entry for entry in written if entry in client.said])
        for name, answered in self.requests.items():
            assert written.count(name) <= 1, f"{name} ran twice"
            assert written.count(name) == 1 or not answered.result(), f"{name} was answered"
        assert len(written) == len(set(written)), written
        self._check_that_it_goes_on()

    def _written(self) -> list[str]:
        contents = self.here.contents(self.namespace, "a")
        return [value for key, value in sorted(contents.items()) if key.startswith("entry")]

    def _check_client(self, client: Client, written: list[str]) -> None:
        assert client.joined or client.refused is not None
        told = not client.open or client.left
        assert client.socket.forbidden == [], "said without a lease"
        assert written == client.said[: len(written)], (client, written)
        assert told or written == client.said, f"{client.name} was not told of a loss: {written}"
        acknowledged = [str(each).removeprefix("ack ") for each in client.socket.received]
        assert acknowledged == written[: len(acknowledged)], (client, written)
        assert told or acknowledged == client.said, f"{client.name} waits for an answer"

    def _check_that_it_goes_on(self) -> None:
        """Whoever comes now is served: here, or where the object has gone."""
        worker = self.here
        if self.object_id in self.there.registry:
            worker = self.there
        self.here.committer._faults.clear()  # one that the run did not come to
        before = len(self._written())
        asking = worker.request(self.namespace, "a", Request(path="at last"))
        assert self.run(asyncio.wait_for(asking, 10)).body == "ack"
        assert len(self._written()) == before + 1
