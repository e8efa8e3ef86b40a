"""Readers that are too slow and writers that are too fast."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from .objects import Doorkeeper
from .patience import a_moment, until
from .running_service import RunningService
from .wire_socket import WireSocket, close_frame, text_frame, upgrade_request

HELLO = 'S\n["h",-1,[0,1]]'
Deaf = Callable[[int, str], Coroutine[Any, Any, socket.socket]]
QUESTION = 'S\n["q",1,""]'


async def tinybase(port: int, path: str) -> WireSocket:
    wire = await WireSocket.open(port, f"/{path}")
    assert wire.status == 101
    return wire


async def look_at_room(
    service: RunningService, namespace: str, name: str, look: Callable[[Any], int]
) -> int:
    """Ask a room something, on its own thread; 0 when there is none."""

    async def ask() -> int:
        registry = service.registry
        room = registry._rooms.get(registry.ids.from_name(namespace, name).uuid)
        return 0 if room is None else look(room)

    found: int = await service.do(ask)
    return found


async def open_members(service: RunningService, namespace: str, name: str) -> int:
    """How many sockets a room may still send to."""

    def count(room: Any) -> int:
        return sum(member.open for member in room.members)

    return await look_at_room(service, namespace, name, count)


async def until_members(
    service: RunningService, namespace: str, name: str, wanted: int, *, seconds: float = 20
) -> None:
    """Wait until a room has so many sockets."""

    async def arrived() -> bool:
        found = await look_at_room(service, namespace, name, lambda room: len(room.members))
        return found == wanted

    await until(arrived, seconds=seconds)


async def next_change(wire: WireSocket) -> str:
    """Read the next message of another client; the replica greets whoever says nothing."""
    while True:
        message = str(await wire.read_message())
        if not message.startswith("S\n"):
            return message


def change(number: int, size: int) -> str:
    return f'\n["d{number}",3,[[{{}}],[{{"v{number}":["{"x" * size}"]}}],1]]'


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    """Makes sockets that were accepted and read nothing more, with the smallest buffer."""
    made: list[socket.socket] = []

    async def make(port: int, target: str) -> socket.socket:
        sock = socket.socket()
        made.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, upgrade_request(target))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await loop.sock_recv(sock, 1)
        assert b" 101 " in head
        return sock

    yield make
    for sock in made:
        sock.close()


class TestSlowReader:
    """The outbox bound of the service under test is 1 MiB, the operating system's come on top."""

    @pytest.mark.parametrize("path", ["stored", "presence/stored"])
    async def test_it_is_closed_and_gone_within_seconds_and_nobody_else_is_hurt(
        self, service: RunningService, name: str, path: str, deaf: Deaf
    ) -> None:
        path = f"{path}-{name}"
        namespace = "presence" if path.startswith("presence") else "tinybase"
        slow = await deaf(service.port, f"/{path}")
        peer, writer = await tinybase(service.port, path), await tinybase(service.port, path)
        await until_members(service, namespace, path, 3)
        number = 0
        while await open_members(service, namespace, path) == 3:
            number += 1
            await writer.say(change(number, 100_000))
            assert f'"d{number}"' in (await next_change(peer))[:60]
            assert number * 100_000 < 40_000_000, "there is no bound"
        await until_members(service, namespace, path, 2, seconds=8)
        await writer.say(change(0, 10))
        assert '"d0"' in (await next_change(peer))[:60]
        slow.close()

    async def test_one_that_wakes_up_in_time_reads_why(
        self, service: RunningService, name: str, deaf: Deaf
    ) -> None:
        slow = await deaf(service.port, f"/{name}")
        writer, peer = await tinybase(service.port, name), await tinybase(service.port, name)
        await until_members(service, "tinybase", name, 3)
        number = 0
        # Some more than fills every buffer; the close frame then stands behind them.
        while number * 100_000 < 12_000_000:
            number += 1
            await writer.say(change(number, 100_000))
            await next_change(peer)
        reader, stream = await asyncio.open_connection(sock=slow.dup())
        wire = WireSocket(reader, stream)
        assert await wire.closed() == (1013, "tinybase:15:socket")


class TestFastWriter:
    """The mailbox of the service under test holds 50 events."""

    async def test_it_is_paused_and_nothing_is_lost(
        self, service: RunningService, name: str
    ) -> None:
        wire = await WireSocket.open(service.port, f"/objects/door/{name}")
        texts = [f"{number:06d} " + "x" * 10_000 for number in range(2_000)]
        for text in texts:
            wire.write(text_frame(text))
        await until(lambda: name in Doorkeeper.doors)
        before = -1
        while (waiting := unsent(wire)) != before:  # until nothing moves any more
            before = waiting
            await a_moment(0.2)
        assert waiting > 4_000_000, "the server took everything"
        assert Doorkeeper.heard[name] == []
        await open_door(service, name)
        assert [str(await wire.read_message()) for _ in texts] == [text[:20] for text in texts]

    async def test_small_messages_in_one_packet_are_not_too_many(
        self, service: RunningService, name: str
    ) -> None:
        wire = await WireSocket.open(service.port, f"/objects/door/{name}")
        texts = [f"{number}" for number in range(5_000)]
        await wire.say(*texts)
        await until(lambda: name in Doorkeeper.doors)
        await open_door(service, name)
        assert [str(await wire.read_message()) for _ in texts] == texts

    async def test_it_may_leave_at_once_and_is_heard_to_the_end(
        self, service: RunningService, name: str
    ) -> None:
        wire = await WireSocket.open(service.port, f"/objects/door/{name}")
        texts = [f"{number}" for number in range(3_000)]
        await wire.send(b"".join(text_frame(text) for text in texts) + close_frame(1000))
        await until(lambda: name in Doorkeeper.doors)
        await a_moment(0.1)
        assert Doorkeeper.ends[name] == 0
        await open_door(service, name)
        await until(lambda: Doorkeeper.ends[name] == 1)
        assert Doorkeeper.heard[name] == texts

    async def test_others_of_the_worker_are_served_meanwhile(
        self, service: RunningService, name: str
    ) -> None:
        busy = await WireSocket.open(service.port, f"/objects/door/{name}")
        await busy.say(*["x" * 1_000] * 500)
        other = await tinybase(service.port, name)
        for _ in range(20):
            await other.say(QUESTION)
            assert await other.read_message() == 'S\n["q",0,[0,0]]'
        await open_door(service, name)
        for _ in range(500):
            await busy.read_message()

    async def test_a_channel_of_a_multiplexed_socket_is_paused_too(
        self, service: RunningService, name: str
    ) -> None:
        wire = await WireSocket.open(service.port, f"/{name}", protocols=["tinybase"])
        await wire.say(HELLO, 'S\n["s",-1,[1,"c"]]')
        assert await wire.read_message() == HELLO
        assert await wire.read_message() == 'S\n["s",-1,[1,"c"]]'
        plain = await tinybase(service.port, f"{name}/c")
        await plain.say(QUESTION)
        await plain.read_message()
        texts = [f'\n["d{number}",3,[[{{}}],[{{"v":[{number}]}}],1]]' for number in range(3_000)]
        sending = asyncio.get_running_loop().create_task(
            wire.say(*[f"M\nc\n{text}" for text in texts])
        )
        for text in texts:
            assert (await next_change(plain)).endswith(text)
        await sending


async def open_door(service: RunningService, name: str) -> None:
    async def open_it() -> None:
        Doorkeeper.doors[name].set()

    await service.do(open_it)


def unsent(wire: WireSocket) -> int:
    return wire.writer.transport.get_write_buffer_size()


async def test_a_crowd_that_speaks_at_once_is_heard_whatever_the_mailbox_holds(
    service: RunningService, name: str
) -> None:
    """Each socket is asked to wait after one message, so none has said too much."""
    first = await WireSocket.open(service.port, f"/objects/door/{name}")
    await first.say("first")
    await until(lambda: name in Doorkeeper.doors)
    crowd = await asyncio.gather(
        *(WireSocket.open(service.port, f"/objects/door/{name}") for _ in range(150))
    )
    for number, wire in enumerate(crowd):
        wire.write(text_frame(f"{number}"))
    await a_moment(0.3)
    await open_door(service, name)
    said = [await wire.read_message() for wire in crowd]
    assert said == [f"{number}" for number in range(150)]
