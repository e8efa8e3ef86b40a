"""What each proxy of `deploy/` hands on, to whom, and what it keeps to itself."""

import asyncio

import pytest

from tests.deploy.conftest import Proxies
from tests.deploy.through import echoed, greeting, request, seen, socket
from tests.doubles.recording_upstream import RecordingUpstream

EVERY = pytest.mark.parametrize("program", ["nginx", "haproxy", "caddy", "traefik"])
WITHOUT_TRAEFIK = pytest.mark.parametrize("program", ["nginx", "haproxy", "caddy"])
"""Traefik cannot hash a path (the server's links bring clients of a room together), nor take a
header away on a condition (the server ignores it)."""

LARGE_BYTES = 16 * 1024 * 1024
ROOMS = 40

Upstreams = list[RecordingUpstream]


def ports(upstreams: Upstreams) -> list[int]:
    return [upstream.port for upstream in upstreams]


@EVERY
async def test_a_websocket_is_opened_and_carries_large_frames(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    async with socket(proxy, "/my/room?token=x") as opened:
        assert (await greeting(opened)).target == "/my/room?token=x"
        assert await echoed(opened, "small")
        assert await echoed(opened, b"\x00" * LARGE_BYTES)


@WITHOUT_TRAEFIK
async def test_a_room_is_brought_to_the_same_machine_whatever_the_query(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    met: dict[str, set[int]] = {}
    for number in range(ROOMS):
        room = f"/rooms/{number}/notes"
        for query in ("", "?", "?token=a", f"?x={number}"):
            met.setdefault(room, set()).add((await seen(proxy, room + query)).upstream)
        async with socket(proxy, f"{room}?socket") as opened:
            met[room].add((await greeting(opened)).upstream)
    assert all(len(where) == 1 for where in met.values()), met
    spread = [sum(where == {number} for where in met.values()) for number in (0, 1)]
    assert min(spread) >= ROOMS // 8, spread


@WITHOUT_TRAEFIK
async def test_an_object_is_brought_to_the_same_machine_whatever_follows_its_name(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    met = [
        {
            (await seen(proxy, f"/objects/counter/{number}{rest}")).upstream
            for rest in ("", "/", "/a", "/b/c?d", "?e")
        }
        for number in range(ROOMS // 2)
    ]
    assert all(len(where) == 1 for where in met), met
    assert {number for where in met for number in where} == {0, 1}


@EVERY
async def test_a_path_arrives_as_it_was_sent(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    paths = ["/a%2Fb", "/a//b", "/~user", "/a%20b", "/%C3%BC%0A", "/a;b=c,d@e:f", "/a/"]
    assert [(await seen(proxy, path)).target for path in paths] == paths
    # What no client need encode; Traefik sets that right.
    arrived = (await seen(proxy, "/%7Euser")).target
    assert arrived == ("/~user" if program == "traefik" else "/%7Euser")


@EVERY
async def test_what_a_client_says_about_itself_is_not_handed_on(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    forged = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "forged.example",
        "X-Real-IP": "203.0.113.7",
        "Forwarded": "for=203.0.113.7;host=forged.example;proto=gopher",
    }
    told = [await seen(proxy, "/room", forged)]
    async with socket(proxy, "/room", forged) as opened:
        told.append(await greeting(opened))
    for each in told:
        assert each.headers["x-forwarded-for"] == "127.0.0.1"
        assert each.headers["x-forwarded-proto"] in ("http", "ws")
        host = f"127.0.0.1:{proxy.port}"
        assert (each.headers["host"], each.headers["x-forwarded-host"]) == (host, host)
        values = " ".join(each.headers.values())
        assert not [word for word in ("203.0.113.7", "gopher", "forged") if word in values]


@WITHOUT_TRAEFIK
async def test_no_upgrade_but_to_a_websocket_is_handed_on(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    asked = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"}
    assert "upgrade" not in (await seen(proxy, "/room", asked)).headers


@EVERY
async def test_what_is_not_for_the_public_is_nowhere_to_be_found(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    closed = [
        f"/{name}{rest}"
        for name in ("admin", "internal", "metrics", "livez", "readyz")
        for rest in ("", "/", "/v1/objects", "?x")
    ]
    for path in [*closed, "//admin/v1/objects"]:
        assert (await request(proxy, path)).status_code == 404, path
    assert not [each for upstream in upstreams for each in upstream.seen]
    for path in ("/administrators", "/rooms/admin", "/metrics-of-ours"):
        assert (await seen(proxy, path)).target == path


@EVERY
async def test_a_machine_that_is_away_is_passed_over(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    here, away = upstreams[0].port, 1
    proxy = await proxies.start(program, [away, here])
    answers = [seen(proxy, f"/rooms/{number}") for number in range(ROOMS // 2)]
    assert {each.upstream for each in await asyncio.gather(*answers)} == {0}
    for number in range(ROOMS // 4):
        async with socket(proxy, f"/rooms/{number}") as opened:
            assert (await greeting(opened)).upstream == 0


@EVERY
async def test_a_head_of_100_kb_is_refused_and_one_of_our_size_is_not(
    program: str, upstreams: Upstreams, proxies: Proxies
) -> None:
    proxy = await proxies.start(program, ports(upstreams))
    refused = await request(proxy, "/room", {"Cookie": "c" * 100_000})
    assert refused.status_code in (400, 431, 494), refused.status_code
    assert not [each for upstream in upstreams for each in upstream.seen]
    cookie = "c" * 7_000
    assert (await seen(proxy, "/room", {"Cookie": cookie})).headers["cookie"] == cookie
