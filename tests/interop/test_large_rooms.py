"""Rooms and messages that are too large for one careless step."""

from .client_host import ClientHost
from .server_process import ServerProcess

ROWS = 20_000
CELLS = 4
LARGE_DEADLINE_SECONDS = 60.0
FRAGMENT_BYTES = 1000


async def test_twenty_thousand_rows_reach_a_fresh_client(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    writer = await host.joined(url)
    rows = {
        f"row-{row}": {f"cell-{cell}": f"value {row}" if cell % 2 else row for cell in range(CELLS)}
        for row in range(ROWS)
    }
    await writer.call("setTable", "large", rows)
    await writer.receipt(deadline_seconds=LARGE_DEADLINE_SECONDS)
    hashes = await writer.hashes()
    await writer.leave()
    fresh = await host.joined(url)
    await fresh.until_hashes(hashes, deadline_seconds=LARGE_DEADLINE_SECONDS)
    assert await fresh.call("getRowCount", "large") == ROWS
    assert await fresh.call("getRow", "large", f"row-{ROWS - 1}") == rows[f"row-{ROWS - 1}"]


async def test_large_content_in_fragments_reaches_the_replica_and_clients_that_do_not_fragment(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    peer = await host.joined(url)
    writer = await host.store()
    await writer.call("setCell", "t", "before", "text", "brought along \U0001f600" * 5_000)
    await writer.join(url, fragment_size=FRAGMENT_BYTES)
    await writer.call("setCell", "t", "after", "text", "said while connected é日本" * 5_000)
    await host.until_equal(writer, peer)
    await writer.receipt()
    await writer.leave()
    await peer.leave()
    fresh = await host.joined(url)
    await host.until_equal(writer, fresh)


async def test_a_cell_of_four_megabytes_passes(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    writer, peer = await host.joined(url), await host.joined(url)
    await writer.call("setCell", "t", "r", "text", "0123456789abcdef" * (4 << 16))
    await host.until_equal(writer, peer)
    await writer.receipt()
    await writer.leave()
    await peer.leave()
    await host.until_equal(writer, await host.joined(url), deadline_seconds=LARGE_DEADLINE_SECONDS)
