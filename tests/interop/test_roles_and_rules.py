"""Real clients that change what they may not: they end as the room is, nobody else saw it."""

from collections.abc import Iterator

import pytest

from .client_host import CURRENT_VERSION, OLD_VERSIONS, ClientHost, SyncedStore
from .raw_peer import RawPeer, raw_peer
from .server_process import ServerProcess, ServerRecipe, our_server

BEFORE = {"pets": {"fido": {"species": "dog", "color": "brown"}}}
VERSIONS = [
    *(pytest.param(version, None, id=version) for version in (*OLD_VERSIONS, CURRENT_VERSION)),
    pytest.param(CURRENT_VERSION, "channel", id=f"{CURRENT_VERSION}-multiplexed"),
]


@pytest.fixture(scope="module")
def server(node_packages: None) -> Iterator[ServerProcess]:  # noqa: ARG001 - installs them first
    ours = our_server()
    variables = {
        **ours.environment,
        "STATEROOM_NAMESPACES": "guarded=tests.interop.guarded_room:GuardedRoom",
        "STATEROOM_ROUTES": "**=guarded",
    }
    process = ServerProcess(ServerRecipe(command=ours.command, environment=variables))
    try:
        process.start()
        yield process
    finally:
        process.close()


async def _write_forbidden(store: SyncedStore) -> None:
    forced = True
    await store.call("setCell", "pets", "fido", "color", "forbidden")
    await store.call("setCell", "pets", "fido", "new", "forbidden")
    await store.call("setRow", "other", "row", {"cell": "forbidden"})
    await store.call("delCell", "pets", "fido", "species", forced)
    await store.call("setValue", "value", "forbidden")


async def _assert_never_told(recorder: RawPeer, writer: SyncedStore) -> None:
    """Nothing forbidden came to a client that was there all the time, up to a last change."""
    await writer.call("setValue", "last", "seen")
    last = await recorder.take(lambda frame: '"last"' in frame)
    frames = [*recorder.left_over(), last]
    assert not [frame for frame in frames if "forbidden" in frame]


@pytest.mark.parametrize(("version", "channel"), VERSIONS)
async def test_a_reader_ends_with_the_rooms_content_after_writing_online_and_offline(
    server: ServerProcess, host: ClientHost, room: str, version: str, channel: str | None
) -> None:
    url = server.room_url(room if channel is None else f"{room}/{channel}")
    joined = f"{server.room_url(room)}?role=read"
    async with raw_peer(url) as recorder:
        writer = await host.joined(url)
        await writer.call("setTables", BEFORE)
        reader = await host.store(version=version)
        await reader.join(joined, channel=channel)
        await host.until_equal(writer, reader)
        await _write_forbidden(reader)
        await reader.until_content(BEFORE)
        await host.until_equal(writer, reader)
        await reader.cut()
        await _write_forbidden(reader)
        await writer.call("setCell", "pets", "fido", "price", 7)
        await reader.join(joined, channel=channel)
        await reader.until_content({"pets": {"fido": {**BEFORE["pets"]["fido"], "price": 7}}})
        await host.until_equal(writer, reader, await host.joined(url))
        await _assert_never_told(recorder, writer)


@pytest.mark.parametrize("version", [OLD_VERSIONS[0], CURRENT_VERSION])
@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
async def test_rules_hold_cell_by_cell(
    server: ServerProcess, host: ClientHost, room: str, version: str, *, offline: bool
) -> None:
    url = server.room_url(room)
    async with raw_peer(url) as recorder:
        other, author = await host.joined(url), await host.joined(url, version=version)
        await other.call("setTables", BEFORE)
        await host.until_equal(other, author)
        if offline:
            await author.cut()
        await author.transaction(
            ("setCell", "pets", "fido", "color", "forbidden"),
            ("setCell", "pets", "fido", "species", "long"),
            ("setCell", "pets", "fido", "price", 7),
            ("setRow", "own", "row", {"cell": "forbidden"}),
            ("setValue", "value", "forbidden"),
        )
        if offline:
            await author.join(url)
        await author.until_content(
            {"pets": {"fido": {"species": "short", "color": "brown", "price": 7}}}
        )
        await host.until_equal(other, author, await host.joined(url))
        await _assert_never_told(recorder, other)
