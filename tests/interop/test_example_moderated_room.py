"""The example of a moderated room: the very file, with real clients."""

import asyncio
from collections.abc import Iterator

import pytest

from .client_host import ClientHost, SyncedStore
from .server_process import ServerProcess, example_server
from .wire_json import Json, loads

_IDLE_SECONDS = "0.2"


@pytest.fixture(scope="module")
def server(node_packages: None) -> Iterator[ServerProcess]:  # noqa: ARG001 - installs them first
    recipe = example_server("moderated-room", "moderated:ModeratedRoom", "chat")
    process = ServerProcess(recipe, STATEROOM_IDLE_SECONDS=_IDLE_SECONDS)
    try:
        process.start()
        yield process
    finally:
        process.close()


async def _say(store: SyncedStore, row_id: str, author: str, text: str) -> None:
    await store.call("setRow", "messages", row_id, {"author": author, "text": text})


async def _texts(store: SyncedStore) -> list[str]:
    tables: Json = await store.call("getTables")
    return sorted(row["text"] for row in tables.get("messages", {}).values())


def _report(server: ServerProcess, room: str) -> Json:
    status, body = server.request(f"/objects/chat/{room}/report")
    assert status == 200
    return loads(body)


async def test_two_clients_see_masked_text_and_the_counts_of_both(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    alice = await host.joined(server.room_url(room))
    bob = await host.joined(server.room_url(room))
    await bob.watch("messages", "text")
    await asyncio.gather(
        *(_say(alice, f"a{number}", "alice", f"damn {number}") for number in range(5)),
        *(_say(bob, f"b{number}", "bob", f"fine {number}") for number in range(7)),
    )
    await alice.receipt()
    await bob.receipt()
    await host.until_equal(alice, bob)
    expected = [f"**** {number}" for number in range(5)] + [f"fine {number}" for number in range(7)]
    assert await _texts(alice) == await _texts(bob) == expected
    assert _report(server, room) == {"alice": 5, "bob": 7}
    assert not [text for text in await bob.seen() if "damn" in text]
    tables: Json = await bob.call("getTables")
    assert tables["authors"] == {"alice": {"messages": 5}, "bob": {"messages": 7}}


async def test_what_a_client_brings_from_offline_is_masked_and_counted(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    alice = await host.joined(server.room_url(room))
    await alice.leave()
    await _say(alice, "1", "alice", "blast")
    bob = await host.joined(server.room_url(room))
    await alice.join(server.room_url(room))
    await alice.receipt()
    await host.until_equal(alice, bob)
    assert await _texts(bob) == ["*****"]
    assert _report(server, room) == {"alice": 1}


async def test_the_server_posts_for_those_who_have_no_store(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    alice = await host.joined(server.room_url(room))
    status, _ = server.request(f"/objects/chat/{room}/post", method="POST", body="Damn, we close")
    assert status == 201
    await alice.call("setValue", "seen", "yes")
    await alice.receipt()
    assert await _texts(alice) == ["****, we close"]
    assert _report(server, room) == {"the house": 1}


async def test_moderation_and_counts_go_on_where_they_were_after_a_rest_and_after_a_kill(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    first = await host.joined(server.room_url(room))
    await _say(first, "1", "alice", "damn")
    await first.receipt()
    server.until_told(f'"object":"{room}"')
    await _say(first, "2", "alice", "damn")
    await first.receipt()
    assert await _texts(first) == ["****", "****"]
    assert _report(server, room) == {"alice": 2}
    await first.leave()
    server.restart()
    second = await host.joined(server.room_url(room))
    await _say(second, "3", "alice", "damn")
    await second.receipt()
    assert await _texts(second) == ["****", "****", "****"]
    assert _report(server, room) == {"alice": 3}


async def test_every_message_is_counted_once_though_the_server_dies_in_the_middle(
    server: ServerProcess, host: ClientHost, room: str
) -> None:
    url = server.room_url(room)
    names = ["alice", "bob", "carol"]
    stores = {name: await host.joined(url) for name in names}
    for number in range(5):
        await asyncio.gather(
            *(_say(store, f"{name}-{number}", name, "damn") for name, store in stores.items())
        )
    for name, store in stores.items():
        await _say(store, f"{name}-last", name, "damn")
        await store.cut()
    server.restart()
    witness = await host.joined(url)
    await witness.receipt()
    assert _is_consistent(await witness.call("getTables"))
    await asyncio.gather(*(store.join(url) for store in stores.values()))
    await asyncio.gather(*(store.receipt() for store in stores.values()))
    await host.until_equal(witness, *stores.values())
    tables: Json = await witness.call("getTables")
    assert _is_consistent(tables)
    assert len(tables["messages"]) == 18
    assert _report(server, room) == {"alice": 6, "bob": 6, "carol": 6}


def _is_consistent(tables: Json) -> bool:
    """Whether each message is masked and counted, whichever of them there are."""
    counts: dict[str, Json] = {}
    for row in tables.get("messages", {}).values():
        assert row["text"] == "****"
        counts[row["author"]] = {
            "messages": counts.get(row["author"], {"messages": 0})["messages"] + 1
        }
    return bool(tables.get("authors", {}) == counts)
