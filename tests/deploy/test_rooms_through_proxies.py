"""Real TinyBase clients and a class of objects, at two machines behind each proxy of `deploy/`."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import connect

from app.store.migration import migrate
from tests.conftest import PostgresServer
from tests.deploy.conftest import Proxies
from tests.deploy.through import DEADLINE_SECONDS, request, until_open
from tests.interop.client_host import ClientHost
from tests.interop.server_process import ServerProcess, our_server

EVERY = pytest.mark.parametrize("program", ["nginx", "haproxy", "caddy", "traefik"])
DATABASE = "behind_proxies"
SETTINGS = {
    "STATEROOM_NAMESPACES": "mirror=tests.deploy.mirror:Mirror",
    "STATEROOM_ROUTES": "**=tinybase",
    "STATEROOM_LEASE_SECONDS": "20",
    "STATEROOM_TRUSTED_PROXIES": "127.0.0.1",
}
ELSEWHERE = "127.0.0.77"
"""Loopback too, and not where the proxies speak from."""


@pytest.fixture(scope="module")
def machines(postgres_server: PostgresServer) -> Iterator[list[int]]:
    """The ports of two machines on a database of their own."""
    url = postgres_server.database_url(DATABASE)
    asyncio.run(_make_database(postgres_server.url))
    asyncio.run(migrate(url))
    with ExitStack() as stack:
        ports = []
        for _ in range(2):
            server = ServerProcess(our_server(), STATEROOM_DATABASE_URL=url, **SETTINGS)
            stack.callback(server.close)
            server.start()
            ports.append(int(server.url.rpartition(":")[2]))
        yield ports


async def _make_database(url: str) -> None:
    session = await asyncpg.connect(url)
    try:
        await session.execute(f"create database {DATABASE} template template0")
    finally:
        await session.close()


@EVERY
async def test_real_clients_agree_before_during_and_after_a_reload(
    program: str, machines: list[int], proxies: Proxies, host: ClientHost
) -> None:
    proxy = await proxies.start(program, machines)
    url, room = f"{proxy.url}/rooms", f"behind-{program}"
    one, two = await host.store(), await host.store()
    # Multiplexed: TinyBase 10.0.1 never hears again on a plain socket that came back.
    await one.join(f"{url}?from=one", channel=room, reconnecting=True)
    await two.join(f"{url}?from=two", channel=room, reconnecting=True)
    await one.call("setCell", "pets", "fido", "species", "dog")
    await host.until_equal(one, two)
    await proxy.reload()
    await two.call("setCell", "pets", "fido", "color", "brown")
    await host.until_equal(one, two)
    await one.call("setCell", "pets", "felix", "text", "x" * 200_000)
    await host.until_equal(one, two)
    late = await host.joined(f"{url}/{room}")
    await host.until_equal(one, two, late)
    tables = (await late.content())[0]
    assert set(tables["pets"]) == {"fido", "felix"}
    assert tables["pets"]["fido"] == {"species": "dog", "color": "brown"}


@EVERY
async def test_an_object_is_told_the_client_and_not_the_proxy_nor_what_the_client_claims(
    program: str, machines: list[int], proxies: Proxies
) -> None:
    proxy = await proxies.start(program, machines)
    forged = {"X-Forwarded-For": "203.0.113.7"}
    address = f"127.0.0.1:{proxy.port}/objects/mirror/one"
    transport = httpx.AsyncHTTPTransport(local_address=ELSEWHERE)
    async with httpx.AsyncClient(transport=transport, timeout=DEADLINE_SECONDS) as client:
        assert (await client.get(f"http://{address}", headers=forged)).text == ELSEWHERE
    async with connect(
        f"ws://{address}",
        additional_headers=forged,
        local_addr=(ELSEWHERE, 0),
        proxy=None,
        open_timeout=DEADLINE_SECONDS,
    ) as opened:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await opened.recv() == ELSEWHERE


async def test_a_client_that_comes_without_a_proxy_is_not_believed(machines: list[int]) -> None:
    transport = httpx.AsyncHTTPTransport(local_address=ELSEWHERE)
    url = f"http://127.0.0.1:{machines[0]}/objects/mirror/one"
    async with httpx.AsyncClient(transport=transport, timeout=DEADLINE_SECONDS) as client:
        answer = await client.get(url, headers={"X-Forwarded-For": "203.0.113.7"})
        assert answer.text == ELSEWHERE


@EVERY
async def test_the_admin_plane_and_the_probes_are_not_published(
    program: str, machines: list[int], proxies: Proxies
) -> None:
    proxy = await proxies.start(program, machines)
    for path in ("/admin/v1/objects", "/admin/", "/metrics", "/readyz", "/internal/x"):
        answer = await request(proxy, path)
        assert answer.status_code == 404, path
        assert "problem+json" not in answer.headers.get("content-type", ""), "it was the server"
    await (await until_open(proxy, "/rooms/open")).close()
