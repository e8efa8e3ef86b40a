"""How the tests of this folder speak through a proxy."""

import asyncio
import contextlib
import ssl

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from app.core.clock import SystemClock
from bench.proxy import Proxy
from tests.doubles.recording_upstream import Seen

DEADLINE_SECONDS = 60.0
_LOOK_SECONDS = 0.05
# httpx would read the system's certificates each time, which takes longer than all the rest.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_GONE = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError)


def socket(proxy: Proxy, target: str, headers: dict[str, str] | None = None) -> connect:
    """A WebSocket to be entered."""
    return connect(
        f"{proxy.url}{target}",
        additional_headers=headers,
        proxy=None,
        compression=None,
        max_size=None,
        ping_interval=None,
        open_timeout=DEADLINE_SECONDS,
        close_timeout=1,
    )


async def request(
    proxy: Proxy, target: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    """GET a target, which goes out as it is written here, on a connection of its own."""
    url = httpx.URL(f"http://127.0.0.1:{proxy.port}", raw_path=target.encode())
    async with httpx.AsyncClient(
        trust_env=False, verify=_NO_TLS, timeout=DEADLINE_SECONDS
    ) as client:
        return await client.get(url, headers=headers)


async def seen(proxy: Proxy, target: str, headers: dict[str, str] | None = None) -> Seen:
    """GET a target; returns what reached the upstream."""
    answer = await request(proxy, target, headers)
    assert answer.status_code == 200, answer.text
    return Seen.read(answer.text)


async def greeting(opened: ClientConnection) -> Seen:
    """What an upstream says first."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        return Seen.read(await opened.recv())


async def echoed(opened: ClientConnection, message: str | bytes) -> bool:
    """Whether the upstream sends back what it is sent."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        await opened.send(message)
        return await opened.recv() == message


async def until_answered_by(proxy: Proxy, upstream: int) -> None:
    """Wait until that upstream answers, as after a reload that turned to it."""
    answer = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = await request(proxy, "/again")
                    if answer.status_code == 200 and Seen.read(answer.text).upstream == upstream:
                        return
                await SystemClock().sleep(_LOOK_SECONDS)
    except TimeoutError:
        last = None if answer is None else (answer.status_code, answer.text)
        raise AssertionError(f"{last}\n{proxy.log()}") from None


async def until_met(proxy: Proxy, upstream: int) -> None:
    """Wait until a new WebSocket comes to that upstream: a former process may still take some."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            async with await until_open(proxy, "/room") as late:
                if (await greeting(late)).upstream == upstream:
                    return


async def until_open(proxy: Proxy, target: str) -> ClientConnection:
    """Open a WebSocket as a client does that comes back until it is let in."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                return await socket(proxy, target)
            except _GONE:
                await SystemClock().sleep(_LOOK_SECONDS)
