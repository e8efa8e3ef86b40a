"""The example that ports TinyBase's server class: the very file, with real clients."""

from collections.abc import Iterator

import pytest

from .client_host import ClientHost
from .server_process import ServerProcess, example_server
from .wire_json import Json, loads

_PETS: Json = {"pets": {"fido": {"species": "dog"}}}


@pytest.fixture(scope="module")
def server(node_packages: None) -> Iterator[ServerProcess]:  # noqa: ARG001 - installs them first
    process = ServerProcess(example_server("tinybase-server", "server:Server"))
    try:
        process.start()
        yield process
    finally:
        process.close()


async def test_a_seeded_room_counts_its_clients_and_logs_who_comes_and_goes(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    first = await host.joined(server.room_url(room))
    await first.until_content(_PETS, {"open": True, "clients": 1})
    second = await host.joined(server.room_url(room))
    await second.until_content(_PETS, {"open": True, "clients": 2})
    await host.until_equal(first, second)
    answer = loads(server.request(f"/objects/tinybase/{room}")[1])
    assert answer["path"] == room
    assert len(set(answer["clients"])) == 2
    await second.leave()
    await first.until_content(_PETS, {"open": True, "clients": 1})
    await first.leave()
    server.until_told("path removed")
    told = ("path added", "path removed", "client added", "client removed")
    assert [server.told(event) for event in told] == [1, 1, 2, 2]
    assert loads(server.request(f"/objects/tinybase/{room}")[1]) == {"path": room, "clients": []}


async def test_what_a_client_writes_reaches_the_others_and_a_killed_server_does_not_seed_again(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    first = await host.joined(server.room_url(room))
    await first.until_content(_PETS, {"open": True, "clients": 1})
    second = await host.joined(server.room_url(room))
    await first.call("delTables")
    await first.call("setValue", "open", "no")
    await second.until_content({}, {"open": "no", "clients": 2})
    await second.leave()
    await first.receipt()
    await first.leave()
    server.restart()
    third = await host.joined(server.room_url(room))
    await third.until_content({}, {"open": "no", "clients": 1})
