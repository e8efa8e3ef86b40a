"""Rooms and messages that are too large for one careless step."""

from app.tinybase.clock import encode_hlc

from .client_host import ClientHost
from .raw_peer import RawPeer, raw_peer
from .server_process import ServerProcess
from .wire_json import Json, dumps, loads

ROWS = 20_000
CELLS = 4
LARGE_DEADLINE_SECONDS = 60.0
FRAGMENT_BYTES = 1000
LARGEST_ROWS = 6_000
LARGEST_ROW_CHARS = 10_000
ROWS_A_MESSAGE = 500
YEAR_2024_MS = 1_704_067_200_000


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


async def _replica_hashes(peer: RawPeer, request_id: str) -> Json:
    """The replica's hashes once it has everything that the peer has sent."""
    await peer.send(f'S\n["{request_id}",1,""]')
    answer = await peer.take(lambda frame: frame.startswith(f'S\n["{request_id}",0,'))
    return loads(answer.partition("\n")[2])[2]


async def test_a_room_of_sixty_megabytes_reaches_a_fresh_client(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    hashes: Json = None
    async with raw_peer(url) as writer:
        for first in range(0, LARGEST_ROWS, ROWS_A_MESSAGE):
            numbers = range(first, first + ROWS_A_MESSAGE)
            rows: dict[str, Json] = {}
            for number in numbers:
                text = f"{number} ".ljust(LARGEST_ROW_CHARS, "x")
                rows[f"row-{number}"] = [{"c": [text, encode_hlc(YEAR_2024_MS, number, "tests")]}]
            await writer.send("\n" + dumps([f"d{first}", 3, [[{"t": [rows]}], [{}], 1]]))
            hashes = await _replica_hashes(writer, f"q{first}")
    assert hashes is not None
    fresh = await host.joined(url)
    await fresh.until_hashes(hashes, deadline_seconds=LARGE_DEADLINE_SECONDS)
    assert await fresh.call("getRowCount", "t") == LARGEST_ROWS
    last = await fresh.call("getCell", "t", f"row-{LARGEST_ROWS - 1}", "c")
    assert last == f"{LARGEST_ROWS - 1} ".ljust(LARGEST_ROW_CHARS, "x")
