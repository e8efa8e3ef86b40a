"""What Python changes in a room, at real clients: a little, more than a message holds, nothing."""

from collections.abc import Iterator

import pytest

from .client_host import ClientHost
from .server_process import ServerProcess, ServerRecipe, our_server
from .wire_json import loads


@pytest.fixture(scope="module")
def server(node_packages: None) -> Iterator[ServerProcess]:  # noqa: ARG001 - installs them first
    ours = our_server()
    variables = {
        **ours.environment,
        "STATEROOM_NAMESPACES": "tinybase=tests.interop.python_edits:PythonEdits",
        "STATEROOM_ROUTES": "**=tinybase",
    }
    process = ServerProcess(ServerRecipe(command=ours.command, environment=variables))
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("counts", [(1, 2, 0), (120, 3), (1, 120)], ids=str)
async def test_every_client_has_what_python_made_of_the_room(
    server: ServerProcess, host: ClientHost, room: str, counts: tuple[int, ...]
) -> None:
    url = server.room_url(room)
    plain, multiplexed = await host.joined(url), await host.store()
    await multiplexed.join(server.url, channel=room)
    for count in counts:
        hashes = loads(server.request(f"/objects/tinybase/{room}/rows/{count}")[1])
        for store in (plain, multiplexed):
            await store.until_hashes(hashes)
            assert await store.call("getRowCount", "t") == count
            assert await store.call("getValue", "rows") == count
