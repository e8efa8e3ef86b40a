"""Links under bad conditions: frozen, cut, garbled, forged, crowded, and not read."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable

import pytest

from app.cluster import link as link_module
from app.cluster import links as links_module
from app.cluster.link_frames import FrameKind, encode_frame
from app.cluster.link_handshake import link_key
from app.cluster.link_protocol import WINDOW_BYTES, Told
from app.cluster.link_protocol import LinkState as ProtocolState
from app.cluster.links import Links
from app.core.clock import SystemClock
from app.core.errors import LinkBroken, Overloaded
from app.core.ids import WorkerId
from app.core.values import LiveWorker
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject, Request, Response
from app.testing.memory import MemoryDatabase
from tests.cluster.link_proxy import LinkProxy, LinkState, to_port
from tests.integration.cluster.raw_peer import RawPeer, dial
from tests.integration.cluster.workers import CLUSTER_KEY, Worker


class Echo(DurableObject):
    """Answers, tells everybody, and keeps whoever asks it to wait."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if isinstance(message, str) and message.startswith("all "):
            self.ctx.broadcast(message)
        else:
            connection.send(message)

    async def on_request(self, request: Request) -> Response:
        await asyncio.Event().wait()
        return Response()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that real sockets bring about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - real sockets bring it about
            await asyncio.sleep(0.005)  # noqa: TID251 - polls real sockets


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Worker, Worker]]:
    database = MemoryDatabase()
    async with Worker(database, {"c": Echo}) as owner, Worker(database, {"c": Echo}) as edge:
        await owner.registry.room(owner.object_id("c", "x"))
        yield owner, edge


def address_of(worker: Worker) -> str:
    return worker.membership._identity.address


def lead_through(edge: Worker, owner: Worker, proxy: LinkProxy) -> None:
    """Let an edge find the owner of an object behind a proxy."""
    holder = LiveWorker(worker_id=owner.worker_id, address=f"127.0.0.1:{proxy.port}")
    edge.locator._finder.note(owner.object_id("c", "x"), holder)


def to_worker(worker: Worker) -> LinkProxy:
    return LinkProxy(to_port(int(address_of(worker).rpartition(":")[2])))


async def test_a_frozen_owner_is_noticed_and_everything_over_its_link_ends() -> None:
    database = MemoryDatabase()
    async with (
        Worker(database, {"c": Echo}) as owner,
        Worker(database, {"c": Echo}, silence_seconds=0.6) as edge,
        to_worker(owner) as proxy,
    ):
        await owner.registry.room(owner.object_id("c", "x"))
        lead_through(edge, owner, proxy)
        far = await edge.connect("c", "x")
        far.say("hello")
        await until(lambda: far.received == ["hello"])
        calling = asyncio.ensure_future(  # noqa: TID251 - the test owns it
            edge.locator.request(edge.object_id("c", "x"), Request())
        )
        far.say("once more")
        await until(lambda: len(far.received) == 2)
        proxy.become(LinkState.STALL_BOTH)
        await until(lambda: far.closed)
        assert far.closed == (1012, "link_broken")
        assert far.let_go_by_object
        with pytest.raises(LinkBroken):
            await calling
        assert len(edge.links) == 0


async def test_a_link_that_is_silent_for_less_than_its_patience_is_kept() -> None:
    database = MemoryDatabase()
    async with (
        Worker(database, {"c": Echo}) as owner,
        Worker(database, {"c": Echo}, silence_seconds=20.0) as edge,
        to_worker(owner) as proxy,
    ):
        await owner.registry.room(owner.object_id("c", "x"))
        lead_through(edge, owner, proxy)
        far = await edge.connect("c", "x")
        proxy.become(LinkState.STALL_BOTH)
        far.say("hello")
        await asyncio.sleep(1.0)  # noqa: TID251 - the length of the stall
        assert far.received == []
        proxy.become(LinkState.PASS)
        await until(lambda: far.received == ["hello"])
        assert far.closed is None


async def test_an_owner_that_does_not_let_a_socket_in_is_not_waited_for_for_ever() -> None:
    gate = asyncio.Event()

    class Slow(Echo):
        async def on_start(self) -> None:
            await gate.wait()

    database = MemoryDatabase()
    async with Worker(database, {"c": Slow}) as owner, Worker(database, {"c": Slow}) as edge:
        starting = asyncio.ensure_future(  # noqa: TID251 - the test owns it
            owner.registry.room(owner.object_id("c", "x"))
        )
        await until(lambda: len(owner.registry) == 1)
        link = await edge.links.to(owner.worker_id, address_of(owner))
        link._open_seconds = 0.3
        with pytest.raises(LinkBroken, match="does not answer"):
            await edge.connect("c", "x")
        gate.set()
        room = await starting
        link._open_seconds = 30.0
        far = await edge.connect("c", "x")
        far.say("hello")
        await until(lambda: far.received == ["hello"])
        assert len(room.members) == 1, "the one that was given up has left"


async def test_a_call_that_is_given_up_is_forgotten_on_both_sides(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    link = await edge.links.to(owner.worker_id, address_of(owner))
    meta = {"ask": "request", "namespace": "c", "id": "", "name": "x", "method": "GET"}
    meta |= {"path": "/", "query": "", "client": ""}
    with pytest.raises(LinkBroken, match="does not answer"):
        await link.call({**meta, "headers": {}, "subprotocols": []}, b"", within_seconds=0.2)
    await until(lambda: all(each._protocol.streams == 0 for each in owner.links._all))
    assert link._protocol.streams == 0
    assert link.alive


async def test_five_thousand_sockets_share_a_link_and_a_broadcast_crosses_it_once() -> None:
    database = MemoryDatabase()
    limits = RoomLimits(connections=6_000)
    async with (
        Worker(database, {"c": Echo}, limits=limits) as owner,
        Worker(database, {"c": Echo}, limits=limits) as edge,
    ):
        await owner.registry.room(owner.object_id("c", "x"))
        sockets = [
            socket
            for _ in range(50)
            for socket in await asyncio.gather(*(edge.connect("c", "x") for _ in range(100)))
        ]
        link = await edge.links.to(owner.worker_id, address_of(owner))
        crossed = 0
        receive = link._protocol.receive

        def counted(data: bytes) -> list[object]:
            nonlocal crossed
            crossed += len(data)
            return receive(data)  # type: ignore[return-value]  # only handed on

        link._protocol.receive = counted  # type: ignore[assignment,method-assign]
        text = "all " + "x" * 10_000
        sockets[0].say(text)
        await until(lambda: all(socket.received == [text] for socket in sockets))
        assert crossed < 100_000, "not ten thousand characters for each of them"
        assert len(edge.links) == len(owner.links) == 1


async def test_messages_as_large_as_a_frame_may_be_cross_both_ways(
    pair: tuple[Worker, Worker],
) -> None:
    _, edge = pair
    far = await edge.connect("c", "x")
    large = "x" * (16 << 20)
    far.say(large)
    await until(lambda: far.received)
    assert far.received == [large]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 10,
        encode_frame(FrameKind.HELLO, 0, b"{}"),
        encode_frame(FrameKind.OPEN, 1, b"\0\0\0\4[[[["),
        encode_frame(FrameKind.TEXT_TO_MANY, 1_000_000, b"abcd"),
        encode_frame(FrameKind.OPEN, 2, b"\0\0\0\2{}"),
    ],
)
async def test_garbage_behind_the_handshake_ends_that_link_alone(
    pair: tuple[Worker, Worker], garbage: bytes
) -> None:
    owner, edge = pair
    far = await edge.connect("c", "x")
    mallory = await RawPeer.connect(owner)
    await mallory.send(garbage)
    await mallory.hung_up()
    far.say("hello")
    await until(lambda: far.received == ["hello"])
    mallory.cut()


async def test_an_open_that_names_nothing_is_refused_and_harms_nobody(
    pair: tuple[Worker, Worker],
) -> None:
    owner, _ = pair
    peer = await RawPeer.connect(owner)
    stream = peer.protocol.new_stream()
    peer.protocol.tell(FrameKind.OPEN, stream, {})
    good = peer.open("x")
    kinds: dict[int, FrameKind] = {}

    def both() -> bool:
        kinds.update((told.stream, told.kind) for told in peer.heard if isinstance(told, Told))
        return len(kinds) == 2

    await peer.hear(both)
    assert kinds == {stream: FrameKind.REFUSE, good: FrameKind.ACCEPT}
    peer.cut()


async def test_a_socket_that_is_given_up_in_the_very_breath_that_opens_it_leaves_nothing_behind(
    pair: tuple[Worker, Worker],
) -> None:
    owner, _ = pair
    (room,) = owner.registry.rooms
    peer = await RawPeer.connect(owner)
    given_up = peer.open("x")
    gone = {"code": 1006, "reason": "", "clean": False}
    peer.protocol.tell(FrameKind.END, given_up, gone)
    good = peer.open("x")
    await peer.hear(lambda: Told(FrameKind.ACCEPT, good, {}, b"") in peer.heard)
    await until(lambda: len(room.members) == 1)
    peer.cut()


async def test_a_stranger_that_proves_nothing_is_cut_however_often_it_says_something() -> None:
    async with Worker(MemoryDatabase(), {"c": Echo}, silence_seconds=0.6) as owner:
        reader, writer = await dial(owner)
        hello = encode_frame(FrameKind.HELLO, 0, b"x" * 4000)
        cut = asyncio.ensure_future(reader.read(-1))  # noqa: TID251 - the test owns it
        for byte in hello:
            if cut.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)  # noqa: TID251 - how slowly the stranger speaks
        else:
            pytest.fail("it was listened to for more than three minutes")
        await until(lambda: not owner.links._all)
        writer.transport.abort()


async def test_strangers_that_prove_nothing_keep_no_worker_out_and_are_few_at_a_time(
    pair: tuple[Worker, Worker],
) -> None:
    owner, _ = pair
    strangers = [await dial(owner) for _ in range(150)]
    await until(lambda: len(owner.links) == 100)
    peer = await RawPeer.connect(owner)
    assert peer.protocol.state is ProtocolState.READY
    assert len(owner.links) <= 101
    peer.cut()
    for _, writer in strangers:
        writer.transport.abort()


async def test_there_are_no_more_links_than_a_worker_may_have(
    pair: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, _ = pair
    monkeypatch.setattr(links_module, "_LINKS", 1)
    first = await RawPeer.connect(owner)
    reader, writer = await dial(owner)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    assert len(owner.links) == 1
    writer.transport.abort()
    first.cut()


async def test_a_link_cut_in_the_middle_of_a_frame_ends_its_sockets(
    pair: tuple[Worker, Worker],
) -> None:
    owner, _ = pair
    (room,) = owner.registry.rooms
    peer = await RawPeer.connect(owner)
    stream = peer.open("x")
    await peer.hear(lambda: len(room.members) == 1)
    peer.protocol.tell(FrameKind.TEXT, stream, body=b"never complete")
    await peer.send(peer.protocol.take()[:-3])
    peer.cut()
    await until(lambda: len(room.members) == 0)
    await until(lambda: len(owner.links) == 0)


@pytest.mark.parametrize("wrong", ["key", "worker"])
async def test_a_peer_of_another_cluster_or_another_worker_than_was_dialled_is_refused(
    pair: tuple[Worker, Worker], wrong: str
) -> None:
    owner, edge = pair
    key = link_key(b"another cluster" if wrong == "key" else CLUSTER_KEY)
    stranger = Links(key=key, worker_id=lambda: edge.worker_id, clock=SystemClock())
    expected = owner.worker_id if wrong == "key" else WorkerId(uuid.uuid4())
    try:
        with pytest.raises(LinkBroken):
            await stranger.to(expected, address_of(owner))
    finally:
        await stranger.close()
    await until(lambda: len(owner.links) == 0)


async def test_a_recorded_handshake_proves_nothing(pair: tuple[Worker, Worker]) -> None:
    owner, _ = pair
    peer = await RawPeer.connect(owner)
    reader, writer = await dial(owner)
    writer.write(peer.sent)
    async with asyncio.timeout(20):
        while await reader.read(1 << 16):
            pass
    writer.close()
    assert sum(each.alive for each in owner.links._all) == 1
    peer.cut()


async def test_two_that_dial_each_other_at_once_both_get_through(
    pair: tuple[Worker, Worker],
) -> None:
    owner, edge = pair
    await edge.registry.room(edge.object_id("c", "y"))
    for _ in range(20):
        there, back = await asyncio.gather(
            edge.links.to(owner.worker_id, address_of(owner)),
            owner.links.to(edge.worker_id, address_of(edge)),
        )
        assert there.alive
        assert back.alive
        far, near = await edge.connect("c", "x"), await owner.connect("c", "y")
        far.say("to x")
        near.say("to y")
        await until(lambda far=far, near=near: far.received and near.received)  # type: ignore[misc]
        there.close()
        back.close()
        await until(lambda: len(owner.links) == len(edge.links) == 0)


async def test_a_peer_that_reads_no_more_costs_no_more_memory_than_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "_FULL_BYTES", 1 << 20)
    monkeypatch.setattr(link_module, "_BEHIND_BYTES", 4 << 20)
    monkeypatch.setattr(link_module, "_OVERRUN_BYTES", 16 << 20)
    database = MemoryDatabase()
    limits = RoomLimits(outbox_bytes=64 << 20)
    async with Worker(database, {"c": Echo}, limits=limits) as owner:
        near = await owner.connect("c", "x")
        (room,) = owner.registry.rooms
        peer = await RawPeer.connect(owner)
        for _ in range(100):
            peer.open("x")
        await peer.hear(lambda: len(room.members) == 101)
        (link,) = owner.links._all
        transport = link._transport
        assert transport is not None
        behind = 0
        for number in range(10_000):
            near.say(f"all {number} " + "x" * (WINDOW_BYTES // 2))
            await asyncio.sleep(0)  # noqa: TID251 - lets the link write
            held = link._protocol.queued_bytes
            assert transport.get_write_buffer_size() < 32 << 20
            if held > 4 << 20:
                behind += 1
                with pytest.raises(Overloaded):
                    link.post({}, b"")
            if transport.is_closing():
                break
        assert behind
        await until(lambda: len(room.members) == 1)
        near.say("still here")
        await until(lambda: near.received[-1] == "still here")
        peer.cut()
