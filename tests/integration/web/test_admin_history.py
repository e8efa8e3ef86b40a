"""The past of objects through the admin API of a running service."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.core.clock import SystemClock

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .pupils import PUPILS
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket

OBJECTS = "/admin/v1/namespaces/pupil/objects"


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, PUPILS, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(steered) as made:
        yield made


@pytest.fixture
def room(name: str) -> str:
    return f"{OBJECTS}/{name}"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def put(client: httpx.AsyncClient, room: str, key: str, value: Any) -> None:
    answer = await client.put(f"{room}/storage/{key}", json={"value": value})
    assert answer.status_code == 200


async def history(client: httpx.AsyncClient, room: str, **query: Any) -> dict[str, Any]:
    answer = await client.get(f"{room}/history", params=query)
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


async def rows(client: httpx.AsyncClient, room: str, bookmark: str) -> dict[str, Any]:
    address = f"{room}/history/{bookmark}/storage"
    items = (await client.get(address, params={"values": True})).json()["items"]
    return {item["key"]: item["value"] for item in items}


async def ask(socket: WireSocket) -> str | bytes:
    await socket.say("?")
    return await socket.read_message()


async def test_states_are_listed_read_compared_and_restored(
    steered: RunningService, client: httpx.AsyncClient, room: str, name: str
) -> None:
    await put(client, room, "word", "one")
    await put(client, room, "word", "two")
    await put(client, room, "more", [1])
    told = await history(client, room)
    bookmarks = [item["bookmark"] for item in told["items"]]
    assert bookmarks == sorted(bookmarks, reverse=True)
    assert [item["keys"] for item in told["items"]] == [1, 1, 1]
    assert told["current_bookmark"] == bookmarks[0]
    three, two, one = bookmarks
    states = {
        three: {"word": "two", "more": [1]},
        two: {"word": "two"},
        one: {"word": "one"},
        told["oldest_bookmark"]: {},
    }
    for bookmark, state in states.items():
        assert await rows(client, room, bookmark) == state
    value = await client.get(f"{room}/history/{one}/storage/word")
    assert value.json()["value"] == "one"
    assert code(await client.get(f"{room}/history/{one}/storage/more")) == (404, "key_unknown")
    differences = (await client.get(f"{room}/history/{one}/diff/{three}")).json()["items"]
    assert [(each["key"], each["change"]) for each in differences] == [
        ("more", "added"),
        ("word", "changed"),
    ]
    socket = await WireSocket.open(steered.port, f"/objects/pupil/{name}")
    assert await ask(socket) == "two"
    done = await client.post(f"{room}/restore", json={"bookmark": one})
    assert (done.status_code, done.json()["bookmark"]) == (200, one)
    assert await ask(socket) == "one", "the socket stays, and the instance is another one"
    assert await rows(client, room, done.json()["current_bookmark"]) == {"word": "one"}
    await client.post(f"{room}/restore", json={"bookmark": done.json()["undo_bookmark"]})
    assert await ask(socket) == "two"
    await socket.close()


async def test_pages_and_times(client: httpx.AsyncClient, room: str) -> None:
    for number in range(5):
        await put(client, room, f"key{number}", number)
        await SystemClock().sleep(0.01)  # so that no two are made in one millisecond
    whole = await history(client, room)
    first = await history(client, room, limit=2)
    rest = await history(client, room, limit=3, cursor=first["next_cursor"])
    assert first["items"] + rest["items"] == whole["items"]
    assert rest["next_cursor"] is None
    third = whole["items"][2]
    before = await history(client, room, before=third["made_at"])
    assert before["items"] == whole["items"][2:]
    address = f"{room}/history/{whole['current_bookmark']}/storage"
    page = (await client.get(address, params={"limit": 3})).json()
    more = (await client.get(address, params={"limit": 3, "cursor": page["next_cursor"]})).json()
    keys = [item["key"] for item in page["items"] + more["items"]]
    assert keys == [f"key{number}" for number in range(5)]
    diff = f"{room}/history/{whole['oldest_bookmark']}/diff/{whole['current_bookmark']}"
    page = (await client.get(diff, params={"limit": 4})).json()
    more = (await client.get(diff, params={"limit": 4, "cursor": page["next_cursor"]})).json()
    assert [item["key"] for item in page["items"] + more["items"]] == keys
    done = await client.post(f"{room}/restore", json={"time": third["made_at"]})
    assert done.json()["bookmark"] == third["bookmark"]
    assert len(await rows(client, room, done.json()["current_bookmark"])) == 3


async def test_what_cannot_be_told_is_a_problem(client: httpx.AsyncClient, room: str) -> None:
    assert code(await client.get(f"{room}/history")) == (404, "object_unknown")
    assert code(await client.post(f"{room}/restore", json={"bookmark": "x"})) == (
        404,
        "object_unknown",
    )
    await put(client, room, "word", "one")
    now = (await history(client, room))["current_bookmark"]
    for wrong in ("x", now[:-8] + "00000000"):
        assert code(await client.get(f"{room}/history/{wrong}/storage")) == (
            404,
            "bookmark_unknown",
        )
    long_ago = {"time": "2001-01-01T00:00:00Z"}
    assert code(await client.post(f"{room}/restore", json=long_ago)) == (410, "bookmark_expired")
    for body in ({}, long_ago | {"bookmark": now}):
        assert code(await client.post(f"{room}/restore", json=body))[0] == 422
    frozen = await client.post(f"{room}/freeze")
    assert frozen.status_code < 300
    refused = await client.post(f"{room}/restore", json={"bookmark": now})
    assert code(refused) == (409, "object_frozen")
