"""WebSockets and streams that outlive time-outs and reloads of each proxy of `deploy/`."""

import asyncio
import contextlib
import re

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.cli.server import uvicorn_config
from app.core.clock import SystemClock
from app.settings import Settings
from bench.proxy import DEPLOY
from tests.deploy.conftest import Proxies
from tests.deploy.through import (
    DEADLINE_SECONDS,
    echoed,
    greeting,
    socket,
    until_answered_by,
    until_met,
)
from tests.doubles.recording_upstream import RecordingUpstream, recording

EVERY = pytest.mark.parametrize("program", ["nginx", "haproxy", "caddy", "traefik"])
IDLE_TIMEOUTS = {
    "nginx": ("nginx/stateroom.conf", "proxy_read_timeout {}s;"),
    "haproxy": ("haproxy/haproxy.cfg", "timeout tunnel {}s\n"),
}
"""Where a proxy ends silent sockets, and how its file says so. The others do not."""

SHORT_SECONDS = 4
"""An idle time-out for a test; upstreams ping eight times meanwhile."""

Upstreams = list[RecordingUpstream]


def shortened(program: str) -> dict[str, str]:
    """What makes the idle time-out short."""
    line = IDLE_TIMEOUTS[program][1]
    return {line.format(90): line.format(SHORT_SECONDS)}


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
async def test_a_silent_socket_lives_on_by_the_pings_alone(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    ports = [upstream.port for upstream in upstreams]
    proxy = await proxies.start(program, ports, shortened(program))
    async with socket(proxy, "/silent") as opened:
        await greeting(opened)
        await SystemClock().sleep(2.5 * SHORT_SECONDS)
        assert await echoed(opened, "still here")


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
async def test_without_pings_the_idle_timeout_of_the_file_ends_a_socket(
    program: str, proxies: Proxies
) -> None:
    async with recording(0, ping_seconds=None) as mute:
        proxy = await proxies.start(program, [mute.port, mute.port], shortened(program))
        async with socket(proxy, "/silent") as opened:
            await greeting(opened)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await opened.recv()


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_idle_timeout_of_the_file_is_longer_than_a_ping_and_the_wait_for_its_answer(
    program: str,
) -> None:
    file, line = IDLE_TIMEOUTS[program]
    found = re.search(line.format(r"(\d+)"), (DEPLOY / file).read_text())
    assert found is not None
    settings = Settings()
    assert int(found[1]) > 2 * (settings.socket_ping_seconds + settings.socket_pong_seconds)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("nginx/stateroom.conf", r"keepalive_timeout (\d+)s;"),
        ("caddy/Caddyfile", r"keepalive (\d+)s\n"),
        ("traefik/stateroom.yml", r"idleConnTimeout: (\d+)s\n"),
    ],
)
def test_a_proxy_lets_go_of_a_silent_connection_before_the_server_does(
    file: str, line: str
) -> None:
    found = re.search(line, (DEPLOY / file).read_text())
    assert found is not None
    assert int(found[1]) < uvicorn_config(None, Settings(), None).timeout_keep_alive


@pytest.mark.parametrize("program", ["nginx", "haproxy", "traefik"])
async def test_open_sockets_outlive_a_reload_that_turns_to_other_machines(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    one, two = (upstream.port for upstream in upstreams)
    proxy = await proxies.start(program, [one, one])
    async with socket(proxy, "/room") as early:
        assert (await greeting(early)).upstream == 0
        await proxy.reload([two, two])
        await until_answered_by(proxy, 1)
        assert await echoed(early, "from before")
        await until_met(proxy, 1)
        assert await echoed(early, "still")


async def test_a_reload_of_caddy_ends_sockets_with_a_word_and_they_come_back(
    caddy: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    one, two = (upstream.port for upstream in upstreams)
    proxy = await proxies.start("caddy", [one, one])
    async with socket(proxy, "/room") as early:
        assert (await greeting(early)).upstream == 0
        await proxy.reload([two, two])
        with pytest.raises(ConnectionClosed) as ended:
            await early.recv()
    assert ended.value.rcvd is not None, caddy
    assert ended.value.rcvd.code == 1001
    await until_met(proxy, 1)


@EVERY
async def test_the_pieces_of_an_answer_pass_as_they_come(program: str, proxies: Proxies) -> None:
    go_on = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nfirst\r\n"
        )
        if b"/objects/" in head:
            await go_on.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = await proxies.start(program, [port, port])
        url = f"http://127.0.0.1:{proxy.port}/objects/log/one"
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            httpx.AsyncClient(trust_env=False, timeout=DEADLINE_SECONDS) as client,
            client.stream("GET", url) as response,
        ):
            pieces = response.aiter_bytes()
            assert await anext(pieces) == b"first"
            go_on.set()
            assert [piece async for piece in pieces] == [b"last"]


@EVERY
async def test_the_pieces_of_a_body_pass_as_they_come(program: str, proxies: Proxies) -> None:
    came = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            await reader.readuntil(b"first")
            came.set()
            await reader.readuntil(b"last")
        # Or the proxy may send the next request over a connection that ends, and repeats no POST.
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        proxy = await proxies.start(program, [port, port])
        async with asyncio.timeout(DEADLINE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            with contextlib.closing(writer):
                writer.write(
                    b"POST /objects/log/one HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    b"Content-Length: 9\r\n\r\nfirst"
                )
                await came.wait()
                writer.write(b"last")
                assert b" 204 " in await reader.readline()


@pytest.mark.parametrize(
    ("program", "change"),
    [
        ("nginx", {"client_max_body_size 1024m": "client_max_body_size 1m"}),
        ("haproxy", {"gt 1073741824": "gt 1048576"}),
    ],
)
async def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(
    program: str, change: dict[str, str], upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, [upstream.port for upstream in upstreams], change)
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with contextlib.closing(writer):
            writer.write(
                b"POST /objects/log/one HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Content-Length: 1048577\r\n\r\n"
            )
            assert b" 413 " in await reader.readline()
    assert Settings().max_streamed_body_bytes == 1024 * 1024 * 1024, "the limit of the files"
