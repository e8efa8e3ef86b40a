"""Channels of a multiplexed socket whose objects are at another worker, over links that break."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.core.frames import OutgoingMessage
from app.core.sockets import SocketSink, SocketTransport
from app.core.tasks import TaskOwner
from app.core.values import LiveWorker
from app.sdk import Connection, DurableObject, Request
from app.testing.memory import MemoryDatabase
from app.testing.sockets import MemorySocket
from app.web.channels import ChannelSocket
from tests.cluster.link_proxy import LinkProxy, LinkState, to_port
from tests.integration.cluster.workers import SHORT_LEASE_SECONDS, Worker
from tests.unit.web.channel_bench import Words


class Resuming(DurableObject):
    """Keeps what it is told and says all of it to whoever comes back."""

    resumes = True

    async def on_start(self) -> None:
        self.kept = list(await self.ctx.storage.get("kept", []))

    def on_connect(self, connection: Connection, request: Request) -> None:
        if request.resumed:
            connection.send(f"resumed {connection.id} {self.kept}")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.kept.append(message)
        self.ctx.storage.put("kept", self.kept)
        self.ctx.broadcast(f"kept {message!s}")


class Edge:
    """A multiplexed socket at a worker; also the objects behind its channels."""

    def __init__(self, worker: Worker, tasks: TaskOwner) -> None:
        self.worker = worker
        self.turns = asyncio.Semaphore(8)
        self.patience_seconds = 20.0
        self.client = MemorySocket()
        self.channels = ChannelSocket(
            multiplexer=Words(),
            transport=self.client,
            objects=self,
            clock=worker.clock,
            tasks=tasks,
        )
        self.client.attach(self.channels)

    async def join(self, suffix: str, transport: SocketTransport, *, resumed: bool) -> SocketSink:
        object_id = self.worker.object_id("c", suffix.removeprefix("path/"))
        request = Request(resumed=resumed)
        return await self.worker.locator.connect(object_id, request, transport, "me")

    def resumes(self, suffix: str) -> bool:
        return True

    def refuse(self, error: Exception) -> tuple[int, str]:
        return 1011, type(error).__name__


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that real sockets bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real sockets bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


@pytest.fixture
async def tasks() -> AsyncIterator[TaskOwner]:
    owner = TaskOwner("test")
    yield owner
    await owner.close()


async def test_a_cut_link_loses_no_channel_and_the_next_room_or_the_same_one_takes_it(
    tasks: TaskOwner,
) -> None:
    database = MemoryDatabase()
    async with Worker(database, {"c": Resuming}) as owner, Worker(database, {"c": Resuming}) as w:
        await owner.registry.room(owner.object_id("c", "a"))
        edge = Edge(w, tasks)
        for text in ("open a", "open b", "a:one", "b:one"):
            edge.client.say(text)
        await until(lambda: {"a:kept one", "b:kept one"} <= set(edge.client.received))
        for number in range(5):
            (link,) = owner.links._all
            before = len(edge.client.received)
            link.close()
            await until(lambda before=before: len(edge.client.received) > before)  # type: ignore[misc]
            edge.client.say(f"a:{number}")
            await until(lambda number=number: f"a:kept {number}" in edge.client.received)  # type: ignore[misc]
        assert edge.client.closed is None
        resumed = [text for text in edge.client.received if str(text).startswith("a:resumed me")]
        assert len(resumed) == 5
        assert resumed[-1] == "a:resumed me ['one', '0', '1', '2', '3']"
        (room,) = owner.registry.rooms
        await until(lambda: len(room.members) == 1)


async def test_an_owner_cut_off_for_longer_than_its_lease_loses_the_channel_to_the_edge(
    tasks: TaskOwner,
) -> None:
    database = MemoryDatabase()
    async with (
        Worker(database, {"c": Resuming}, lease_seconds=SHORT_LEASE_SECONDS) as owner,
        Worker(database, {"c": Resuming}, silence_seconds=0.5) as w,
        LinkProxy(to_port(int(owner.membership._identity.address.rpartition(":")[2]))) as proxy,
    ):
        await owner.registry.room(owner.object_id("c", "a"))
        holder = LiveWorker(worker_id=owner.worker_id, address=f"127.0.0.1:{proxy.port}")
        w.locator._finder.note(owner.object_id("c", "a"), holder)
        edge = Edge(w, tasks)
        edge.client.say("open a")
        edge.client.say("a:one")
        await until(lambda: "a:kept one" in edge.client.received)
        proxy.become(LinkState.STALL_BOTH)
        edge.client.say("a:never taken")
        await owner.links.close()
        await owner.membership._tasks.close()  # its lease is not renewed any more
        await until(lambda: "a:resumed me ['one']" in edge.client.received)
        edge.client.say("a:two")
        await until(lambda: "a:kept two" in edge.client.received)
        assert edge.client.closed is None
        assert len(w.registry) == 1


async def test_what_a_former_owner_still_says_reaches_no_channel_that_has_moved(
    tasks: TaskOwner,
) -> None:
    database = MemoryDatabase()
    async with Worker(database, {"c": Resuming}) as owner, Worker(database, {"c": Resuming}) as w:
        room = await owner.registry.room(owner.object_id("c", "a"))
        edge = Edge(w, tasks)
        edge.client.say("open a")
        edge.client.say("a:one")
        await until(lambda: "a:kept one" in edge.client.received)
        (member,) = room.members
        former = member.transport
        await room.leave(draining=True)
        await until(lambda: any("resumed" in str(text) for text in edge.client.received))
        before = list(edge.client.received)
        former.send([OutgoingMessage("late")])
        former.close(4000, "late")
        edge.client.say("a:two")
        await until(lambda: "a:kept two" in edge.client.received)
        assert edge.client.received == [*before, "a:kept two"]
        assert edge.client.closed is None
