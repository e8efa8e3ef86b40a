"""Stores that TinyBase's own persisters wrote, moved in, and content moved out to them again."""

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from .client_host import ClientHost, SyncedStore
from .server_process import ServerProcess, ServerRecipe, our_server
from .wire_json import Json, dumps

TOKEN = "a-token-of-the-tests-that-move"
TABLES: dict[str, Json] = {
    "pets": {"fido": {"kind": "dog", "toys": ["ball", {"n": 1e21}]}, "ünï/💥": {"kind": None}},
    "a:b": {"": {'"\\': -0.5}},
}
VALUES = {"open": True, "text": "line\n\u2028"}


@pytest.fixture(scope="module")
def server(node_packages: None) -> Iterator[ServerProcess]:  # noqa: ARG001 - installs them first
    ours = our_server()
    process = ServerProcess(
        ServerRecipe(command=ours.command, environment=ours.environment),
        STATEROOM_ADMIN_TOKEN=TOKEN,
    )
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.fixture
async def admin(server: ServerProcess, room: str) -> AsyncIterator[httpx.AsyncClient]:
    base = server.url.replace("ws", "http", 1)
    async with httpx.AsyncClient(
        base_url=f"{base}/admin/v1/namespaces/tinybase/objects/{room}",
        headers={"authorization": f"Bearer {TOKEN}"},
    ) as made:
        yield made


async def written(host: ClientHost) -> SyncedStore:
    """A store with a past: cells and rows that were deleted, and changed more than once."""
    store = await host.store()
    await store.call("setContent", [TABLES, VALUES])
    await store.call("setCell", "pets", "fido", "age", 1)
    await store.call("setCell", "pets", "fido", "age", 2)
    await store.call("delCell", "pets", "fido", "kind")
    await store.call("setRow", "pets", "gone", {"x": 1})
    await store.call("delRow", "pets", "gone")
    await store.call("delValue", "text")
    return store


async def persisted(store: SyncedStore, kind: str, file: Path, source: str = "") -> bytes:
    await store.host.command("persist", store=store.name, kind=kind, file=str(file), source=source)
    return file.read_bytes()  # noqa: ASYNC240 - a small file of a test


async def import_file(admin: httpx.AsyncClient, content: bytes, **query: str) -> None:
    answer = await admin.post("/content/import", params=query, content=content)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("kind", "format_", "source"),
    [
        ("file", "content", ""),
        ("printed", "content", ""),
        ("kv", "kv", ""),
        ("kv", "kv", "my prefix_"),
        ("sql-json", "sqlite", ""),
        ("sql-json", "sqlite", 'other "table"'),
        ("sql-fragmented", "sqlite", ""),
        ("sql-fragmented", "sqlite", "plain_"),
        ("sql-fragmented", "sqlite", "Größe-"),
    ],
)
async def test_a_client_finds_equal_hashes_after_its_store_was_moved_in(
    server: ServerProcess,
    host: ClientHost,
    admin: httpx.AsyncClient,
    room: str,
    tmp_path: Path,
    kind: str,
    format_: str,
    source: str,
) -> None:
    store = await written(host)
    content, hashes = await store.content(), await store.hashes()
    file = await persisted(store, kind, tmp_path / "file", source)
    await import_file(admin, file, format=format_, source=source)
    fresh = await host.joined(server.room_url(room))
    await fresh.until_hashes(hashes)
    assert await fresh.content() == content
    await store.join(server.room_url(room))
    await store.call("setValue", "after", 1)
    await host.until_equal(store, fresh)


async def test_a_plain_file_becomes_changes_that_clients_see(
    server: ServerProcess,
    host: ClientHost,
    admin: httpx.AsyncClient,
    room: str,
    tmp_path: Path,
) -> None:
    store = await written(host)
    content = await store.content()
    file = await persisted(store, "plain-file", tmp_path / "file")
    client = await host.joined(server.room_url(room))
    await client.call("setRow", "old", "row", {"c": 1})
    await client.receipt()
    refused = await admin.post("/content/import", params={"format": "content"}, content=file)
    assert (refused.status_code, refused.json()["code"]) == (409, "content_present")
    await import_file(admin, file, format="content", mode="merge")
    await client.until_content({"old": {"row": {"c": 1}}, **content[0]}, content[1])
    await import_file(admin, file, format="content", mode="replace")
    await client.until_content(*content)


async def test_a_mergeable_file_replaces_what_is_there_and_clients_follow(
    server: ServerProcess,
    host: ClientHost,
    admin: httpx.AsyncClient,
    room: str,
    tmp_path: Path,
) -> None:
    store = await written(host)
    file = await persisted(store, "file", tmp_path / "file")
    client = await host.joined(server.room_url(room))
    await client.call("setCell", "pets", "fido", "age", 99)
    await client.call("setCell", "other", "row", "c", 1)
    await client.receipt()
    await import_file(admin, file, format="content", mode="replace")
    await client.until_content(*await store.content())
    await store.join(server.room_url(room))
    await host.until_equal(store, client)


async def test_what_is_moved_out_is_loaded_by_tinybase(
    server: ServerProcess,
    host: ClientHost,
    admin: httpx.AsyncClient,
    room: str,
    tmp_path: Path,
) -> None:
    store = await written(host)
    await store.join(server.room_url(room))
    await store.receipt()
    files = {}
    for form in ("mergeable", "content"):
        answer = await admin.get("/content/export", params={"format": form})
        assert answer.status_code == 200
        files[form] = tmp_path / form
        files[form].write_bytes(answer.content)
    loaded = await host.store()
    await host.command("load-file", store=loaded.name, file=str(files["mergeable"]))
    await host.until_equal(store, loaded)
    plain = await host.command("plain-content", file=str(files["content"]))
    assert canonical(plain) == canonical(await store.content())


async def test_a_patch_of_the_admin_plane_reaches_clients_and_hashes_agree(
    server: ServerProcess, host: ClientHost, admin: httpx.AsyncClient, room: str
) -> None:
    client = await host.joined(server.room_url(room))
    await client.call("setContent", [TABLES, VALUES])
    await client.receipt()
    patch = {"tables": {"pets": {"fido": {"kind": None, "name": {"first": "F"}}}, "a:b": None}}
    answer = await admin.patch(
        "/content",
        content=dumps(patch),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.status_code == 204
    pets = {**TABLES["pets"], "fido": {"toys": ["ball", {"n": 1e21}], "name": {"first": "F"}}}
    await client.until_content({"pets": pets}, VALUES)
    await client.receipt()
    assert (await admin.get("/content")).json() == {"tables": {"pets": pets}, "values": VALUES}


def canonical(content: Json) -> str:
    return dumps(_sorted(content))


def _sorted(content: Json) -> Json:
    if isinstance(content, dict):
        return {each: _sorted(content[each]) for each in sorted(content)}
    return [_sorted(each) for each in content] if isinstance(content, list) else content


# -- restored ----------------------------------------------------------------------------------


MOMENTS = 40
RESTORATIONS = 100


async def bookmark(admin: httpx.AsyncClient) -> str:
    answer = await admin.get("/history", params={"limit": 1})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["current_bookmark"])


async def restore(admin: httpx.AsyncClient, to: str) -> str:
    answer = await admin.post("/restore", json={"bookmark": to})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["undo_bookmark"])


async def test_connected_clients_follow_a_restoration_and_its_undoing(
    server: ServerProcess, host: ClientHost, admin: httpx.AsyncClient, room: str
) -> None:
    chance = random.Random(3)
    alice, bob = await host.joined(server.room_url(room)), await host.joined(server.room_url(room))
    moments: dict[str, Json] = {}
    for step in range(MOMENTS):
        await changed(alice if step % 2 else bob, chance)
        await host.until_equal(alice, bob)
        await alice.receipt()
        moments[await bookmark(admin)] = await alice.content()
    for then in chance.choices(sorted(moments), k=RESTORATIONS):
        before = await alice.content()
        undo = await restore(admin, then)
        for client in (alice, bob):
            await client.until_content(*moments[then])
        await host.until_equal(alice, bob)
        await alice.receipt()
        if chance.random() < 0.1:
            await restore(admin, undo)
            await alice.until_content(*before)


async def test_a_client_that_was_away_follows_when_it_comes_back_and_keeps_what_it_wrote(
    server: ServerProcess, host: ClientHost, admin: httpx.AsyncClient, room: str
) -> None:
    url = server.room_url(room)
    alice, bob = await host.joined(url), await host.joined(url)
    await alice.call("setContent", [TABLES, VALUES])
    await alice.receipt()
    then = await bookmark(admin)
    await alice.call("setCell", "pets", "fido", "kind", "cat")
    await alice.call("delTable", "a:b")
    await alice.receipt()
    await host.until_equal(alice, bob)
    await bob.leave()
    await bob.call("setValue", "mine", 1)
    await restore(admin, then)
    await alice.until_content(TABLES, VALUES)
    await bob.join(url)
    for client in (alice, bob):
        await client.until_content(TABLES, {**VALUES, "mine": 1})


async def changed(store: SyncedStore, chance: random.Random) -> None:
    table, row, cell = (chance.choice("ab") for _ in range(3))
    match chance.randrange(6):
        case 0:
            await store.call("delRow", table, row)
        case 1:
            await store.call("setValue", cell, chance.choice([1, "x", [1, {"y": None}]]))
        case 2:
            await store.call("delValue", cell)
        case _:
            await store.call("setCell", table, row, cell, chance.choice([1, 0.5, "x", True]))


# -- frozen ------------------------------------------------------------------------------------


async def test_a_frozen_room_is_read_and_takes_what_was_changed_when_it_is_thawed(
    server: ServerProcess, host: ClientHost, admin: httpx.AsyncClient, room: str
) -> None:
    url = server.room_url(room)
    alice, bob = await host.joined(url), await host.joined(url)
    await alice.call("setContent", [TABLES, VALUES])
    await alice.receipt()
    await host.until_equal(alice, bob)
    assert (await admin.post("/freeze")).status_code == 200
    await alice.call("setValue", "late", 1)
    reader = await host.joined(url)
    await reader.until_content(TABLES, VALUES)
    refused = await admin.put("/content", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "object_frozen")
    assert await bob.content() == [TABLES, VALUES]
    assert (await admin.post("/thaw")).status_code == 200
    for client in (bob, reader):
        await client.until_content(TABLES, {**VALUES, "late": 1})
    assert await alice.closes() == []
    await host.until_equal(alice, bob, reader)
