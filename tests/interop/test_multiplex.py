"""Multiplexed sockets: several stores on one connection, each in the room `base/channel`."""

import pytest

from .client_host import ClientHost
from .server_process import ServerProcess

CHANNELS = ("one", "two", "deep/er")


async def test_channels_meet_plain_clients_in_the_rooms_below_the_base_path(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    plain = {
        channel: await host.joined(server.room_url(f"{room}/{channel}")) for channel in CHANNELS
    }
    multiplexed = {channel: await host.store() for channel in CHANNELS}
    for channel, store in multiplexed.items():
        await store.join(server.room_url(room), socket="shared", channel=channel)
    for channel in CHANNELS:
        await multiplexed[channel].call("setValue", "from multiplexed", channel)
        await plain[channel].call("setValue", "from plain", channel)
    for channel in CHANNELS:
        await plain[channel].until_content({}, {"from multiplexed": channel, "from plain": channel})
        await host.until_equal(plain[channel], multiplexed[channel])


async def test_two_multiplexed_sockets_meet_each_other_and_leave_one_channel_at_a_time(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    stores = {}
    for socket in ("left", "right"):
        for channel in ("one", "two"):
            stores[socket, channel] = await host.store()
            await stores[socket, channel].join(url, socket=socket, channel=channel)
    for (socket, channel), store in stores.items():
        await store.call("setRow", channel, socket, {"is here": True})
    await host.until_equal(stores["left", "one"], stores["right", "one"])
    await host.until_equal(stores["left", "two"], stores["right", "two"])
    await stores["left", "one"].leave()
    await stores["right", "one"].call("setCell", "one", "later", "c", 1)
    await stores["left", "two"].call("setCell", "two", "later", "c", 2)
    await stores["right", "two"].until_content(
        {"two": {"left": {"is here": True}, "right": {"is here": True}, "later": {"c": 2}}}
    )
    await stores["left", "one"].join(url, socket="left", channel="one")
    await host.until_equal(stores["left", "one"], stores["right", "one"])


async def test_a_channel_keeps_its_data_for_a_fresh_plain_client(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    writer = await host.store()
    await writer.join(server.room_url(room), channel="kept", fragment_size=200)
    await writer.call("setCell", "t", "r", "c", "in fragments, in a channel " * 100)
    await writer.receipt()
    await writer.leave()
    await host.until_equal(writer, await host.joined(server.room_url(f"{room}/kept")))


@pytest.mark.parametrize(
    ("offered", "selected"),
    [([], ""), (["tinybase"], "tinybase"), (["tinybase", "other"], "tinybase")],
)
async def test_the_server_selects_the_subprotocol_that_means_multiplexed(
    server: ServerProcess, host: ClientHost, room: str, offered: list[str], selected: str
) -> None:
    socket = await host.raw(server.room_url(room), protocols=offered)
    assert socket.protocol == selected
    await socket.close()
