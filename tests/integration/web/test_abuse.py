"""Floods from one address, over real sockets: they are refused, and nobody else is harmed.

The server is told that this machine is a proxy, so each test has a client's address of its own.
"""

import zlib
from itertools import count
from typing import Any

import pytest
import websockets

from .conftest import StartService
from .running_service import RunningService, ServerKind
from .wire_socket import exchange, request_text, upgrade_request

RATE = 1
MOST_TRIES = 200
"""Far more than a burst, and what the rate gives while they are made."""


@pytest.fixture(scope="module", params=[ServerKind.DIRECT, ServerKind.SERVERS_OWN], ids=str)
def guarded(request: pytest.FixtureRequest, start_service: StartService) -> RunningService:
    return start_service(
        request.param,
        trusted_proxies=("127.0.0.1",),
        address_connects_per_second=RATE,
        client_rooms_per_second=RATE,
    )


@pytest.fixture(scope="module")
def only_rooms(start_service: StartService) -> RunningService:
    return start_service(
        ServerKind.DIRECT,
        trusted_proxies=("127.0.0.1",),
        address_connects_per_second=0,
        client_rooms_per_second=RATE,
    )


def connect(service: RunningService, name: str, client: str) -> Any:
    return websockets.connect(
        f"ws://127.0.0.1:{service.port}/objects/speaker/{name}",
        additional_headers={"x-forwarded-for": client},
    )


async def refusal_of(service: RunningService, names: Any, client: str) -> Any:
    """Connect until it is refused; the answer."""
    for _ in range(MOST_TRIES):
        try:
            async with connect(service, next(names), client):
                pass
        except websockets.InvalidStatus as refused:
            return refused.response
    raise AssertionError("nothing was refused")


def is_too_often(answer: Any, setting: str) -> bool:
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    return b'"rate_limited"' in answer.body and setting.encode() in answer.body


async def test_connects_from_one_address_are_refused_and_others_are_served(
    guarded: RunningService, name: str
) -> None:
    async with connect(guarded, name, "203.0.113.1") as first:
        answer = await refusal_of(guarded, iter(lambda: name, None), "203.0.113.1")
        assert is_too_often(answer, "STATEROOM_ADDRESS_CONNECTS_PER_SECOND")
        async with connect(guarded, name, "203.0.113.2") as other:
            for socket in (first, other):
                await socket.send("hello")
                assert await socket.recv()


async def test_made_up_room_names_are_refused_and_rooms_that_are_there_are_not(
    only_rooms: RunningService, name: str
) -> None:
    async def rooms() -> int:
        return len(list(only_rooms.registry.rooms))

    client = "203.0.113.3"
    async with connect(only_rooms, name, client) as first:
        names = (f"{name}-{each}" for each in count())
        answer = await refusal_of(only_rooms, names, client)
        assert is_too_often(answer, "STATEROOM_CLIENT_ROOMS_PER_SECOND")
        held = await only_rooms.do(rooms)
        assert held < MOST_TRIES
        async with connect(only_rooms, name, client) as again:
            for socket in (first, again):
                await socket.send("hello")
                assert await socket.recv()
        async with connect(only_rooms, f"{name}-other", "203.0.113.4") as other:
            await other.send("hello")
            assert await other.recv()


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        ("/objects/speaker/../../admin/v1/objects", (101, 404)),
        ("/objects/speaker%2f..%2f..%2fadmin", (404, 404)),
        ("/..%2fadmin/v1/objects", (101, 426)),
        ("/objects/nowhere/x%0d%0aset-cookie:%20a=b", (404, 404)),
        ("/objects/speaker/%00", (400, 400)),
        ("/objects/speaker/%ff", (400, 400)),
        ("/objects/speaker/" + 2_000 * "x", (400, 400)),
        ("/objects/speaker/" + 8_192 * "x", (414, 400)),
    ],
)
async def test_tricks_with_paths_lead_nowhere(
    guarded: RunningService, target: str, statuses: tuple[int, int]
) -> None:
    client = [("x-forwarded-for", f"198.51.100.{zlib.crc32(target.encode()) % 250}")]
    as_socket = await exchange(guarded.port, upgrade_request(target, headers=client))
    as_request = await exchange(guarded.port, request_text("GET", target, headers=client))
    assert (as_socket.status, as_request.status) == statuses
    for answer in (as_socket, as_request):
        assert "set-cookie" not in answer.headers
