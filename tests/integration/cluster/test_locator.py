"""Sockets and calls that arrive at another worker than the object's reach it all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.cluster.link_errors import NotBegun
from app.cluster.link_protocol import WINDOW_BYTES
from app.cluster.links import _Nobody
from app.core.errors import IdInvalid, LinkBroken, StateroomError, WorkerLeaving
from app.core.values import LiveWorker
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.memory import MemoryDatabase
from tests.integration.cluster.workers import SHORT_LEASE_SECONDS, Worker


class Counter(DurableObject):
    """Counts, tells everybody; `who` tells where and how a client came."""

    async def on_start(self) -> None:
        self.count = await self.ctx.storage.get("count", 0)
        self.closes: list[str] = []

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.attachment = request.path

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "who":
            connection.send(f"{connection.id} {connection.attachment} {self.closes}")
        elif message == "bye":
            connection.close(4001, "as you wish")
        elif isinstance(message, bytes):
            connection.send(message[::-1])
        elif message.startswith("echo"):
            connection.send(message)
        else:
            self.count += 1
            self.ctx.storage.put("count", self.count)
            self.ctx.broadcast(str(self.count))

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.closes.append(f"{code} {reason} {clean}")

    async def on_request(self, request: Request) -> Response:
        if request.path == "/fail":
            raise RuntimeError("as asked")
        self.count += 1
        self.ctx.storage.put("count", self.count)
        return Response(status=201, body=f"{self.count} {request.method} {request.body!r}")


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other processes bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


def members(owner: Worker) -> int:
    (room,) = owner.registry.rooms
    return len(room.members)


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Worker, Worker]]:
    database = MemoryDatabase()
    async with Worker(database, {"c": Counter}) as owner, Worker(database, {"c": Counter}) as edge:
        await owner.registry.room(owner.object_id("c", "x"))
        yield owner, edge


async def test_a_socket_at_the_wrong_worker_works_like_one_at_the_right_one(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    near, far = await owner.connect("c", "x"), await edge.connect("c", "x")
    far.say("count")
    await until(lambda: near.received == far.received == ["1"])
    near.say("count")
    await until(lambda: near.received == far.received == ["1", "2"])
    far.say(b"\x01\x02")
    far.say("echo 🙂")
    await until(lambda: far.received[2:] == [b"\x02\x01", "echo 🙂"])
    assert len(edge.registry) == 0


async def test_the_owner_learns_who_came_how_and_how_it_ended(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    near, far = await owner.connect("c", "x"), await edge.connect("c", "x")
    far.say("who")
    await until(lambda: far.received)
    assert far.received[0] == f"{edge.worker_id}-1 /somewhere []"
    far.leave(4000, "gone")
    await until(lambda: members(owner) == 1)
    near.say("who")
    await until(lambda: near.received)
    assert str(near.received[0]).endswith("['4000 gone True']")


async def test_the_object_can_close_a_socket_at_another_worker(pair: tuple[Worker, Worker]) -> None:
    _, edge = pair
    far = await edge.connect("c", "x")
    far.say("bye")
    await until(lambda: far.closed)
    assert far.closed == (4001, "as you wish")


async def test_http_reaches_the_object_wherever_it_is(pair: tuple[Worker, Worker]) -> None:
    _, edge = pair
    request = Request(method="POST", path="/", body=b"\x00body")
    response, receipt = await edge.locator.request(edge.object_id("c", "x"), request)
    assert (response.status, response.body) == (201, b"1 POST b'\\x00body'")
    assert receipt.endswith("/1")
    with pytest.raises(StateroomError, match="RuntimeError: as asked"):
        await edge.locator.request(edge.object_id("c", "x"), Request(path="/fail"))


async def test_a_broken_link_closes_its_sockets_with_1012_and_fails_its_calls(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    far = await edge.connect("c", "x")
    owner.committer.hold()
    calling = asyncio.ensure_future(  # noqa: TID251 - the test owns it
        edge.locator.request(edge.object_id("c", "x"), Request())
    )
    await until(lambda: owner.committer.in_flight or owner.committer._waiting)
    await owner.links.close()
    await until(lambda: far.closed)
    assert far.closed == (1012, "link_broken")
    with pytest.raises(LinkBroken):
        await calling


async def test_the_owner_hears_of_sockets_whose_link_broke(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    near = await owner.connect("c", "x")
    await edge.connect("c", "x")
    await edge.links.close()
    await until(lambda: members(owner) == 1)
    near.say("who")
    await until(lambda: near.received)
    assert "1006 the worker that held the socket is gone False" in str(near.received[0])


async def test_after_the_owners_death_the_object_moves_when_its_lease_has_run_out() -> None:
    database = MemoryDatabase()
    async with Worker(database, {"c": Counter}) as edge:
        async with Worker(database, {"c": Counter}, lease_seconds=SHORT_LEASE_SECONDS) as owner:
            near = await owner.connect("c", "x")
            near.say("count")
            await until(lambda: near.received == ["1"])
            far = await edge.connect("c", "x")
        await until(lambda: far.closed)
        again = await edge.connect("c", "x")
        again.say("count")
        await until(lambda: again.received == ["2"])
        assert len(edge.registry) == 1


async def test_an_object_that_moved_on_is_found_again() -> None:
    database = MemoryDatabase()
    async with (
        Worker(database, {"c": Counter}) as first,
        Worker(database, {"c": Counter}) as second,
        Worker(database, {"c": Counter}) as edge,
    ):
        object_id = edge.object_id("c", "x")
        await first.registry.room(object_id)
        await edge.locator.find(object_id)
        room = await first.registry.room(object_id)
        await room.leave(draining=False)
        await second.registry.room(object_id)
        far = await edge.connect("c", "x")
        far.say("count")
        await until(lambda: far.received == ["1"])
        assert len(second.registry) == 1
        assert len(first.registry) == len(edge.registry) == 0


async def test_a_reader_that_is_too_slow_is_closed_at_its_own_worker_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.cluster.link_ends.CLOSE_DEADLINE_SECONDS", 0.2)
    database = MemoryDatabase()
    limits = RoomLimits(outbox_bytes=4 * WINDOW_BYTES)
    async with (
        Worker(database, {"c": Counter}, limits=limits) as owner,
        Worker(database, {"c": Counter}) as edge,
    ):
        await owner.registry.room(owner.object_id("c", "x"))
        slow, quick = await edge.connect("c", "x"), await edge.connect("c", "x")
        slow.stalled_bytes = 2 * WINDOW_BYTES
        for _ in range(6):
            slow.say("echo" + "x" * WINDOW_BYTES)
        await until(lambda: slow.closed)
        assert slow.closed == (1013, "overloaded")
        quick.say("count")
        await until(lambda: quick.received == ["1"])


async def test_a_room_that_is_full_slows_its_client_at_the_other_worker() -> None:
    class Slow(Counter):
        gate: asyncio.Event

        async def on_message(self, connection: Connection, message: str | bytes) -> None:  # type: ignore[override]
            await self.gate.wait()
            connection.send(message[:8])

    Slow.gate = asyncio.Event()
    database = MemoryDatabase()
    limits = RoomLimits(mailbox_events=4)
    async with (
        Worker(database, {"c": Slow}, limits=limits) as owner,
        Worker(database, {"c": Slow}) as edge,
    ):
        await owner.registry.room(owner.object_id("c", "x"))
        far = await edge.connect("c", "x")
        piece = "x" * (WINDOW_BYTES // 3)
        said = 0
        while far.reading:
            far.say(f"{said:08}{piece}")
            said += 1
            await asyncio.sleep(0.01)  # noqa: TID251 - lets real sockets move
            assert said < 50
        Slow.gate.set()
        await until(lambda: len(far.received) == said)
        assert far.received == [f"{number:08}" for number in range(said)]
        await until(lambda: far.reading)
        assert far.closed is None


async def test_what_no_client_may_ask_is_refused_over_a_link_too(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    link = await edge.links.to(owner.worker_id, owner.membership._identity.address)
    meta = {
        "ask": "request",
        "namespace": "nowhere",
        "id": "",
        "name": "x",
        "method": "GET",
        "path": "/",
        "query": "",
        "headers": {},
        "client": "",
        "subprotocols": [],
    }
    with pytest.raises(IdInvalid, match="not mounted"):
        await link.call(meta, b"", within_seconds=30)


async def test_many_sockets_share_one_link(pair: tuple[Worker, Worker]) -> None:
    owner, edge = pair
    sockets = await asyncio.gather(*(edge.connect("c", "x") for _ in range(50)))
    sockets[0].say("count")
    await until(lambda: all(socket.received == ["1"] for socket in sockets))
    assert len(edge.links) == len(owner.links) == 1


async def test_a_worker_that_does_not_serve_yet_is_not_the_last_one_asked() -> None:
    database = MemoryDatabase()
    async with Worker(database, {"c": Counter}) as young, Worker(database, {"c": Counter}) as other:
        young.links.serve(_Nobody())
        holder = LiveWorker(worker_id=young.worker_id, address=young.membership._identity.address)
        other.locator._finder.note(other.object_id("c", "new"), holder)
        link = await other.links.to(holder.worker_id, holder.address)
        with pytest.raises(NotBegun):
            await link.call({}, b"", within_seconds=30)
        with pytest.raises(WorkerLeaving):
            await other.mover.move(other.object_id("c", "new"), young.worker_id)
        await other.locator.request(other.object_id("c", "new"), Request())
        assert other.object_id("c", "new") in other.registry
