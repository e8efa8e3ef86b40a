"""What clients say to one another through the server, as frames, in every kind of room."""

import pytest

from .client_host import ClientHost
from .server_process import EPHEMERAL_PREFIX, RELAY_PREFIX, ServerProcess

EVERY_KIND = pytest.mark.parametrize("prefix", ["", RELAY_PREFIX, EPHEMERAL_PREFIX])
DIFF = ' [ "d1" ,3, [[{"t":[{"r":[{"c":[1.50e1,"Nn1JUF-----2zlAl"]}]}]}],[{}],1]] '


@EVERY_KIND
async def test_a_broadcast_diff_reaches_the_others_byte_for_byte_and_not_its_sender(
    server: ServerProcess, host: ClientHost, room: str, prefix: str
) -> None:
    url = server.room_url(prefix + room)
    sender, first, second = [await host.raw(url) for _ in range(3)]
    await sender.send(f"\n{DIFF}")
    [heard_first] = await first.frames_of_peers(1)
    [heard_second] = await second.frames_of_peers(1)
    sender_id, _, remainder = heard_first.partition("\n")
    assert remainder == DIFF
    assert sender_id not in {"", "S"}
    assert heard_second == heard_first
    await first.send(f"{sender_id}\n" + '["to you",0,[1,2]]')
    [reply] = await sender.frames_of_peers(1)
    first_id, _, remainder = reply.partition("\n")
    assert remainder == '["to you",0,[1,2]]'
    assert first_id not in {"", "S", sender_id}
    assert await second.frames_of_peers(1) == [heard_first]


@EVERY_KIND
async def test_frames_of_one_sender_arrive_in_their_order(
    server: ServerProcess, host: ClientHost, room: str, prefix: str
) -> None:
    url = server.room_url(prefix + room)
    sender, receiver = await host.raw(url), await host.raw(url)
    count = 200
    for number in range(count):
        hlc = f"Nn1JUF-{number:03d}-2zlAl"
        await sender.send(
            f'\n["{number}",3,[[{{"t":[{{"r":[{{"c":[{number},"{hlc}"]}}]}}]}}],[{{}}],1]]'
        )
    frames = await receiver.frames_of_peers(count)
    assert [frame.split('"')[1] for frame in frames] == [str(number) for number in range(count)]


@EVERY_KIND
async def test_a_malformed_frame_closes_its_sender_and_nobody_else(
    server: ServerProcess, host: ClientHost, room: str, prefix: str
) -> None:
    url = server.room_url(prefix + room)
    bad, good, peer = [await host.raw(url) for _ in range(3)]
    await bad.send("\n[1,2]")
    assert await bad.closed() == (1007, "tinybase:14")
    await good.send(f"\n{DIFF}")
    [heard] = await peer.frames_of_peers(1)
    assert heard.endswith(DIFF)


@EVERY_KIND
async def test_real_clients_converge_in_every_kind_of_room(
    server: ServerProcess, host: ClientHost, room: str, prefix: str
) -> None:
    url = server.room_url(prefix + room)
    first, second = await host.joined(url), await host.joined(url)
    await first.call("setTables", {"cursors": {"first": {"x": 1, "y": 2}}})
    await second.call("setCell", "cursors", "second", "x", 3)
    await first.call("setValue", "page", 4)
    await host.until_equal(first, second)
    await first.until_content(
        {"cursors": {"first": {"x": 1, "y": 2}, "second": {"x": 3}}}, {"page": 4}
    )
    await host.until_equal(first, second, await host.joined(url))


async def test_a_room_for_presence_forgets_everything_when_the_last_client_leaves(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(EPHEMERAL_PREFIX + room)
    first, second = await host.joined(url), await host.joined(url)
    await first.call("setCell", "cursors", "first", "x", 1)
    await host.until_equal(first, second)
    await first.leave()
    await second.leave()
    late = await host.joined(url)
    assert await late.content() == [{}, {}]
    assert await late.hashes() == [0, 0]


async def test_a_peer_that_vanishes_while_the_replica_asks_it_does_not_stop_the_room(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    vanishing = await host.raw(url)
    await vanishing.send('\n["announced---",2,[1,2]]')
    await vanishing.close()
    writer, reader = await host.joined(url), await host.joined(url)
    await writer.call("setValue", "still", "works")
    await reader.until_content({}, {"still": "works"})
    await writer.receipt()
