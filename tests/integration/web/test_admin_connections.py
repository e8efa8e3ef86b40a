"""The sockets of objects through the admin API of a running service."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .patience import until
from .pupils import PUPILS
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, PUPILS, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService, name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(steered, f"/admin/v1/namespaces/pupil/objects/{name}") as made:
        yield made


async def joined(steered: RunningService, name: str, tags: str = "") -> WireSocket:
    """A socket whose `on_connect` has run."""
    query = f"?{tags}" if tags else ""
    socket = await WireSocket.open(steered.port, f"/objects/pupil/{name}/door{query}")
    await socket.say("?")
    await socket.read_message()
    return socket


async def hibernate(steered: RunningService, name: str) -> None:
    async def drop() -> None:
        room = await steered.registry.room(steered.registry.ids.from_name("pupil", name))
        await room.life.evict()

    await steered.do(drop)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def listed(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/connections", params=query)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_sockets_are_listed_with_what_is_known_of_them(
    client: httpx.AsyncClient, steered: RunningService, name: str
) -> None:
    await joined(steered, name, "red,blue")
    await joined(steered, name)
    found = await listed(client)
    first, second = found["items"]
    assert (first["tags"], second["tags"]) == (["blue", "red"], [])
    assert first["path"] == "/door", "without the query"
    assert first["client"].startswith("127.0.0.1")
    assert first["joined_at"].endswith("Z")
    assert (first["open"], first["buffered_bytes"]) == (True, 0)
    assert (found["live"], found["hibernated"]) == (True, False)
    assert [each["id"] for each in (await listed(client, tag="red"))["items"]] == [first["id"]]
    page = await listed(client, limit=1)
    rest = await listed(client, limit=1, cursor=page["next_cursor"])
    assert [each["id"] for each in (*page["items"], *rest["items"])] == [first["id"], second["id"]]
    assert rest["next_cursor"] is None


async def test_a_message_reaches_those_it_is_meant_for(
    client: httpx.AsyncClient, steered: RunningService, name: str
) -> None:
    red, blue = await joined(steered, name, "red"), await joined(steered, name, "blue")
    (told,) = (await listed(client, tag="blue"))["items"]
    for body, count in (
        ({"all": True, "text": "to all"}, 2),
        ({"tag": "red", "text": "to red"}, 1),
        ({"id": told["id"], "base64": b64encode(b"\x00\xff").decode()}, 1),
        ({"tag": "nobody", "text": "lost"}, 0),
    ):
        answer = await client.post("/connections/send", json=body)
        assert (answer.status_code, answer.json()) == (200, {"count": count})
    assert [await red.read_message(), await red.read_message()] == ["to all", "to red"]
    assert [await blue.read_message(), await blue.read_message()] == ["to all", b"\x00\xff"]


async def test_an_object_that_sleeps_is_not_woken_by_a_message_or_a_kick(
    client: httpx.AsyncClient, steered: RunningService, name: str
) -> None:
    stays, goes = await joined(steered, name, "stays"), await joined(steered, name, "goes")
    await hibernate(steered, name)
    assert (await listed(client))["hibernated"]
    await client.post("/connections/send", json={"all": True, "text": "psst"})
    kick = {"tag": "goes", "code": 4_000, "reason": "out"}
    assert (await client.post("/connections/kick", json=kick)).json() == {"count": 1}
    assert [await stays.read_message(), await goes.read_message()] == ["psst", "psst"]
    assert (await listed(client))["hibernated"]
    assert await goes.closed() == (4_000, "out")
    await stays.say("?")
    assert await stays.read_message() == "none"


async def test_who_is_kicked_hears_the_code_and_the_others_stay(
    client: httpx.AsyncClient, steered: RunningService, name: str
) -> None:
    first, second = await joined(steered, name), await joined(steered, name)
    told = (await listed(client))["items"][0]
    kick = {"id": told["id"], "reason": "enough"}
    assert (await client.post("/connections/kick", json=kick)).json() == {"count": 1}
    assert await first.closed() == (1008, "enough")
    first.vanish()

    async def one_is_left() -> bool:
        return len((await listed(client))["items"]) == 1

    await until(one_is_left)
    assert code(await client.post("/connections/kick", json=kick)) == (404, "connection_unknown")
    await second.say("?")
    assert await second.read_message() == "none"
    assert (await client.post("/connections/kick", json={"all": True})).json() == {"count": 1}
    assert await second.closed() == (1008, "")


@pytest.mark.parametrize("what", ["send", "kick"])
async def test_requests_that_say_nothing_clear_are_refused(
    client: httpx.AsyncClient, steered: RunningService, name: str, what: str
) -> None:
    await joined(steered, name)
    text = {"text": "x"} if what == "send" else {}
    bad: list[dict[str, Any]] = [text, text | {"all": True, "tag": "x"}, text | {"all": "yes"}]
    if what == "send":
        bad += [{"all": True}, {"all": True, "text": "x", "base64": ""}]
        bad += [{"all": True, "base64": "?"}, {"all": True, "base64": "é"}]
    else:
        bad += [{"all": True, "code": 999}, {"all": True, "code": 1006}]
        bad += [{"all": True, "reason": "x" * 124}]
    for body in bad:
        answer = await client.post(f"/connections/{what}", json=body)
        assert answer.status_code == 422, body
    assert len((await listed(client))["items"]) == 1


async def test_an_object_that_is_nowhere_has_no_sockets_and_is_not_woken(
    client: httpx.AsyncClient, steered: RunningService, name: str
) -> None:
    assert code(await client.get("/connections")) == (404, "object_unknown")
    send = {"all": True, "text": "x"}
    assert code(await client.post("/connections/send", json=send)) == (404, "object_unknown")
    await client.put("/storage/k", json={"value": 1})

    async def leave() -> None:
        room = await steered.registry.room(steered.registry.ids.from_name("pupil", name))
        await room.leave(draining=False)

    await steered.do(leave)
    found = await listed(client)
    assert (found["items"], found["live"]) == ([], False)
    assert (await client.post("/connections/send", json=send)).json() == {"count": 0}
    one = {"id": "x", "text": "x"}
    assert code(await client.post("/connections/send", json=one)) == (404, "connection_unknown")
    assert (await listed(client))["live"] is False
