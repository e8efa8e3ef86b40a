"""What a server still knows after SIGKILL, once its replica has answered with the writer's hashes.

Every writer is gone before the server dies, and none comes back before the data was read again: a
client that still had it would send it again and hide the loss.
"""

import asyncio

from .client_host import ClientHost
from .server_process import ServerProcess
from .wire_json import Json

ODD_VALUES: dict[str, Json] = {
    "object": {"b": [1, {"c": None}], "a": "x", "10": 0, "9": [[], {}]},
    "array": [1, "two", None, [False]],
    "empty object": {},
    "empty array": [],
    "emoji": "\U0001f600 and \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "lone high surrogate": "\ud800",
    "lone low surrogate": "x\udfffy",
    "nul": "a\x00b",
    "controls": "\x01\x1f\x7f\x80\t\r\n\b\f",
    "separators": "\u2028\u2029",
    "quotes": "\"\\/</script>'",
    "escaped text": "\\u0000 \\ud800",
    "empty text": "",
    "1e21": 1e21,
    "1e20": 1e20,
    "minus zero": -0.0,
    "smallest": 5e-324,
    "small": 1e-7,
    "largest": 1.7976931348623157e308,
    "thirds": 0.1 + 0.2,
    "beyond 2^53": 9007199254740994,
    "null": None,
    "true": True,
    "false": False,
}
ODD_IDS = [
    "",
    "__proto__",
    "constructor",
    "a:b",
    'quo"te',
    "\U0001f600",
    "\ud800",
    "nul\x00",
    "\u2028",
    "0",
    "-1",
]


async def test_a_second_browser_finds_what_the_first_wrote_before_the_server_was_killed(
    mortal_server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = mortal_server.room_url(room)
    first = await host.joined(url)
    await first.call("setTables", {"todos": {"1": {"text": "write it down", "done": False}}})
    await first.call("setValue", "filter", "open")
    await first.receipt()
    await first.leave()
    mortal_server.restart()
    second = await host.joined(url)
    await second.until_content(
        {"todos": {"1": {"text": "write it down", "done": False}}}, {"filter": "open"}
    )
    await second.until_hashes(await first.hashes())


async def test_odd_values_and_ids_survive_the_server_its_death_and_a_fresh_client(
    mortal_server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = mortal_server.room_url(room)
    writer, witness = await host.joined(url), await host.joined(url)
    await writer.call("setTables", {"odd": {"values": ODD_VALUES}})
    await writer.call("setValues", ODD_VALUES)
    for odd_id in ODD_IDS:
        await writer.call("setCell", f"table {odd_id}", f"row {odd_id}", f"cell {odd_id}", odd_id)
        await writer.call("setCell", odd_id, odd_id, odd_id, odd_id)
    await host.until_equal(writer, witness)
    expected, hashes = await writer.content(), await writer.hashes()
    assert expected[0]["odd"]["values"] == ODD_VALUES
    await writer.receipt()
    await writer.leave()
    await witness.leave()
    mortal_server.restart()
    fresh = await host.joined(url)
    await fresh.until_hashes(hashes)
    assert await fresh.content() == expected


async def test_deletions_survive_the_death_of_the_server(
    mortal_server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = mortal_server.room_url(room)
    writer = await host.joined(url)
    await writer.call("setTables", {"t": {"r": {"gone": 1, "kept": 2}}, "gone": {"r": {"c": 1}}})
    await writer.call("setValues", {"gone": 1, "kept": 2})
    await writer.receipt()
    await writer.call("delCell", "t", "r", "gone")
    await writer.call("delTable", "gone")
    await writer.call("delValue", "gone")
    await writer.receipt()
    hashes = await writer.hashes()
    await writer.leave()
    mortal_server.restart()
    fresh = await host.joined(url)
    await fresh.until_content({"t": {"r": {"kept": 2}}}, {"kept": 2})
    await fresh.until_hashes(hashes)


async def test_an_old_copy_does_not_bring_deleted_rows_back_after_the_server_was_killed(
    mortal_server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = mortal_server.room_url(room)
    deleter, old_copy = await host.joined(url), await host.joined(url)
    await deleter.call("setTables", {"t": {"gone": {"c": 1}, "kept": {"c": 2}}})
    await host.until_equal(deleter, old_copy)
    await old_copy.leave()
    await deleter.call("delRow", "t", "gone")
    await deleter.receipt()
    await deleter.leave()
    mortal_server.restart()
    await old_copy.join(url)
    await old_copy.until_content({"t": {"kept": {"c": 2}}})
    await host.until_equal(deleter, old_copy, await host.joined(url))


async def test_every_room_that_got_its_receipt_is_there_after_a_kill_in_the_middle_of_writing(
    mortal_server: ServerProcess, host: ClientHost, room: str
) -> None:
    urls = [mortal_server.room_url(f"{room}-{number}") for number in range(8)]
    writers = await asyncio.gather(*(host.joined(url) for url in urls))
    for number in range(5):
        await asyncio.gather(
            *(writer.call("setCell", "t", "r", f"c{number}", number) for writer in writers)
        )
    await asyncio.gather(*(writer.receipt() for writer in writers))
    for writer in writers:
        await writer.call("setValue", "unacknowledged", 1)
        await writer.cut()
    mortal_server.restart()
    readers = await asyncio.gather(*(host.joined(url) for url in urls))
    for reader in readers:
        await reader.until_tables({"t": {"r": {f"c{number}": number for number in range(5)}}})
