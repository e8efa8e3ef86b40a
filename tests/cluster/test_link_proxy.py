"""The proxy that makes links bad: what each state lets through, and what arrives later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.cluster.link_proxy import LinkProxy, LinkState, to_port

DEADLINE_SECONDS = 20.0


class Server:
    """Answers each line it gets with the same in capitals, and remembers them."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self._serving = 0
        self._idle = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving += 1
        self._idle.clear()
        try:
            while line := await reader.readline():
                self.heard.put_nowait(line)
                writer.write(line.upper())
        except ConnectionError:
            pass
        finally:
            await closed(writer)
            self._serving -= 1
            if not self._serving:
                self._idle.set()

    async def idle(self) -> None:
        await self._idle.wait()


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Server, LinkProxy]]:
    behind = Server()
    listening = await asyncio.start_server(behind.serve, "127.0.0.1", 0)
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        listening,
        LinkProxy(to_port(listening.sockets[0].getsockname()[1])) as proxy,
    ):
        yield behind, proxy
        proxy.cut()
        await behind.idle()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def connect(proxy: LinkProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def test_an_open_link_passes_both_ways() -> None:
    async with linked() as (server, proxy):
        reader, writer = await connect(proxy)
        writer.write(b"one\n")
        assert await reader.readline() == b"ONE\n"
        assert await server.heard.get() == b"one\n"
        await closed(writer)


async def test_a_cut_breaks_what_is_open_and_a_new_connection_is_well() -> None:
    async with linked() as (_, proxy):
        reader, writer = await connect(proxy)
        writer.write(b"one\n")
        await reader.readline()
        proxy.cut()
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        again, writer_again = await connect(proxy)
        writer_again.write(b"two\n")
        assert await again.readline() == b"TWO\n"
        await closed(writer_again)
        await closed(writer)


async def test_a_link_that_refuses_breaks_everything_until_it_passes_again() -> None:
    async with linked() as (_, proxy):
        reader, writer = await connect(proxy)
        writer.write(b"one\n")
        await reader.readline()
        proxy.become(LinkState.REFUSE)
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        refused, refused_writer = await connect(proxy)
        refused_writer.write(b"turned away\n")
        with pytest.raises(ConnectionError):
            await refused.readexactly(1)
        await closed(refused_writer)
        await closed(writer)
        proxy.become(LinkState.PASS)
        well, writer = await connect(proxy)
        writer.write(b"two\n")
        assert await well.readline() == b"TWO\n"
        await closed(writer)


async def test_a_statement_that_was_stalled_arrives_later_though_its_sender_is_gone() -> None:
    async with linked() as (server, proxy):
        reader, writer = await connect(proxy)
        writer.write(b"one\n")
        await reader.readline()
        await server.heard.get()
        proxy.become(LinkState.STALL_UP)
        writer.write(b"late\n")
        await writer.drain()
        other, other_writer = await connect(proxy)  # what it says is stalled too
        other_writer.write(b"later\n")
        await closed(writer)
        proxy.become(LinkState.PASS)
        assert {await server.heard.get(), await server.heard.get()} == {b"late\n", b"later\n"}
        assert await other.readline() == b"LATER\n"
        await closed(other_writer)


async def test_an_answer_that_was_stalled_arrives_when_the_link_is_well() -> None:
    async with linked() as (server, proxy):
        reader, writer = await connect(proxy)
        proxy.become(LinkState.STALL_DOWN)
        writer.write(b"one\n")
        assert await server.heard.get() == b"one\n"
        assert proxy.open_connections == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.readline()
        proxy.become(LinkState.PASS)
        assert await reader.readline() == b"ONE\n"
        await closed(writer)
