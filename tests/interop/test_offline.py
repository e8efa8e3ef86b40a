"""Clients that were away for a while, and what both sides did meanwhile.

The self-reconnecting cases run with the clients that can do it. TinyBase 10.0.1 itself cannot in
plain mode: its synchronizer stops listening at the first `close` of a socket, so a
ReconnectingWebSocket comes back deaf, whatever the server does (seen against TinyBase's own
server). Its multiplexed mode, and 9.2.0 and older in plain mode, do come back.
"""

import pytest

from .client_host import CURRENT_VERSION, OLD_VERSIONS, ClientHost, SyncedStore
from .server_process import ServerProcess

SELF_RECONNECTING = [
    pytest.param(CURRENT_VERSION, "channel", id=f"{CURRENT_VERSION}-multiplexed"),
    *(pytest.param(version, None, id=version) for version in OLD_VERSIONS),
]


async def _edit_both_while_apart(away: SyncedStore, present: SyncedStore) -> None:
    await away.call("setCell", "pets", "fido", "color", "black")
    await away.call("setRow", "pets", "felix", {"species": "cat"})
    await away.call("setPartialValues", {"open": False})
    await present.call("setCell", "pets", "fido", "price", 7)
    await present.call("delCell", "pets", "fido", "species")
    await present.call("setValue", "employees", 4)


BEFORE = {"pets": {"fido": {"species": "dog", "color": "brown"}}}
MERGED_TABLES = {"pets": {"fido": {"color": "black", "price": 7}, "felix": {"species": "cat"}}}
MERGED_VALUES = {"open": False, "employees": 4}


async def test_edits_on_both_sides_of_a_cut_merge_over_a_new_socket(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    away, present = await host.joined(url), await host.joined(url)
    await away.call("setTables", BEFORE)
    await host.until_equal(away, present)
    await away.cut()
    await _edit_both_while_apart(away, present)
    await away.join(url)
    await away.until_content(MERGED_TABLES, MERGED_VALUES)
    await host.until_equal(away, present, await host.joined(url))


@pytest.mark.parametrize(("version", "channel"), SELF_RECONNECTING)
async def test_edits_on_both_sides_merge_when_a_reconnecting_socket_comes_back(
    server: ServerProcess, host: ClientHost, room: str, version: str, channel: str | None
) -> None:
    away = await host.store(version=version)
    await away.join(server.room_url(room), channel=channel, reconnecting=True)
    url = server.room_url(room if channel is None else f"{room}/{channel}")
    present = await host.joined(url)
    await away.call("setTables", BEFORE)
    await host.until_equal(away, present)
    await away.cut(keep_synchronizer=True)
    await _edit_both_while_apart(away, present)
    await away.resume()
    await away.until_content(MERGED_TABLES, MERGED_VALUES)
    await host.until_equal(away, present, await host.joined(url))


async def test_a_change_made_while_the_readers_connection_was_cut_arrives_when_it_returns(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    writer, reader = await host.joined(url), await host.joined(url)
    await writer.call("setCell", "t", "r", "c", "before")
    await host.until_equal(writer, reader)
    await reader.cut()
    await writer.call("setCell", "t", "r", "c", "meanwhile")
    await writer.call("delValues")
    await writer.receipt()
    await writer.leave()
    await reader.join(url)
    await reader.until_content({"t": {"r": {"c": "meanwhile"}}})
    await host.until_equal(writer, reader)


async def test_a_client_that_was_cut_and_edited_alone_hands_it_over_after_all_others_left(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    away, other = await host.joined(url), await host.joined(url)
    await other.call("setCell", "t", "r", "c", 1)
    await host.until_equal(away, other)
    await away.cut()
    await away.call("setCell", "t", "r", "c", 2)
    await other.leave()
    await away.join(url)
    await away.receipt()
    await away.leave()
    await (fresh := await host.store()).join(url)
    await fresh.until_content({"t": {"r": {"c": 2}}})
    await host.until_equal(away, fresh)


async def test_open_clients_converge_again_after_the_server_was_killed_and_came_back(
    mortal_server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = mortal_server.room_url(room)
    first, second = await host.store(), await host.store()
    for store in (first, second):
        await store.join(url, channel="c", reconnecting=True)
    await first.call("setTables", BEFORE)
    await host.until_equal(first, second)
    mortal_server.kill()
    await _edit_both_while_apart(first, second)
    mortal_server.start()
    await first.until_content(MERGED_TABLES, MERGED_VALUES)
    fresh = await host.joined(f"{url}/c")
    await host.until_equal(first, second, fresh)
