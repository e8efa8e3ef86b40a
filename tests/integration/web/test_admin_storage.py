"""The keys of objects through the admin API of a running service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

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
def storage(name: str) -> str:
    return f"{OBJECTS}/{name}/storage"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_values_are_put_read_and_deleted_with_their_types(
    client: httpx.AsyncClient, storage: str
) -> None:
    values: dict[str, Any] = {
        "plain": {"a": [1, 2.5, None, True, "ü"]},
        "a/b?": {"$": ["set", 1]},
        "when": [{"$": ["datetime", "2026-01-31T08:15:00+00:00"]}, {"$": ["int", str(2**70)]}],
        "raw": {"$": ["bytes", "00ff"]},
        "": None,
    }
    for key, value in values.items():
        address = f"{storage}/{quote(key, safe='')}"
        put = await client.put(address, json={"value": value})
        assert (put.status_code, put.json()["created"]) == (200, True)
        got = await client.get(address)
        assert (got.status_code, got.json()["key"], got.json()["value"]) == (200, key, value)
        assert got.headers["etag"] == put.headers["etag"] == f'"{put.json()["version"]}"'
    listed = (await client.get(storage, params={"values": True})).json()["items"]
    assert {each["key"]: each["value"] for each in listed} == values
    assert {each["key"]: each["kind"] for each in listed}["raw"] == "bytes"
    assert (await client.delete(f"{storage}/raw")).status_code == 204
    assert code(await client.get(f"{storage}/raw")) == (404, "key_unknown")
    assert code(await client.delete(f"{storage}/raw")) == (404, "key_unknown")


async def test_deeply_nested_values_are_told(client: httpx.AsyncClient, storage: str) -> None:
    value: Any = 1
    for _ in range(95):
        value = {"$": ["tuple", value]}
    assert (await client.put(f"{storage}/deep", json={"value": value})).status_code == 200
    assert (await client.get(f"{storage}/deep")).json()["value"] == value
    for _ in range(6):
        value = [value]
    refused = await client.put(f"{storage}/deeper", json={"value": value})
    assert refused.status_code == 422


async def test_bytes_cross_as_they_are(client: httpx.AsyncClient, storage: str) -> None:
    octets = {"content-type": "application/octet-stream"}
    body = bytes(range(256)) * 4_000
    put = await client.put(f"{storage}/raw/bytes", content=body, headers=octets)
    assert put.status_code == 200
    got = await client.get(f"{storage}/raw/bytes")
    assert (got.content, got.headers["etag"]) == (body, put.headers["etag"])
    assert got.headers["content-type"] == "application/octet-stream"
    await client.put(f"{storage}/text", json={"value": "text"})
    assert code(await client.get(f"{storage}/text/bytes")) == (409, "value_not_bytes")
    large = await client.put(f"{storage}/raw/bytes", content=bytes(2_000_001), headers=octets)
    assert code(large) == (422, "storage_refused")
    assert code(await client.put(f"{storage}/{'k' * 2_049}", json={"value": 1})) == (
        422,
        "storage_refused",
    )


async def test_what_a_live_object_has_cached_does_not_outlive_a_put(
    client: httpx.AsyncClient, storage: str, steered: RunningService, name: str
) -> None:
    socket = await WireSocket.open(steered.port, f"/objects/pupil/{name}")
    await socket.say("?")
    assert await socket.read_message() == "none"
    await client.put(f"{storage}/word", json={"value": "new"})
    await socket.say("?")
    assert await socket.read_message() == "new"


async def test_reading_wakes_nothing(
    client: httpx.AsyncClient, storage: str, steered: RunningService
) -> None:
    async def rooms() -> int:
        return len(steered.registry)

    before = await steered.do(rooms)
    for path in ("", "?values=true", "/k", "/k/bytes"):
        assert code(await client.get(f"{storage}{path}")) == (404, "object_unknown")
    for path in ("/k", "?prefix="):
        assert code(await client.delete(f"{storage}{path}")) == (404, "object_unknown")
    assert await steered.do(rooms) == before


async def test_a_write_may_depend_on_what_stands_there(
    client: httpx.AsyncClient, storage: str
) -> None:
    address = f"{storage}/k"

    async def put(value: int, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return await client.put(address, json={"value": value}, headers=named)

    assert code(await put(1, if_match="*")) == (412, "precondition_failed")
    first = (await put(1, if_none_match="*")).headers["etag"]
    assert code(await put(2, if_none_match="*")) == (412, "precondition_failed")
    second = (await put(2, if_match=f'"00", {first}')).headers["etag"]
    assert code(await put(3, if_match=first)) == (412, "precondition_failed")
    assert code(await put(3, if_none_match=second)) == (412, "precondition_failed")
    assert code(await put(3, if_match="nonsense")) == (422, "fields_invalid")
    assert (await client.get(address)).json()["value"] == 2
    old = await client.delete(address, headers={"if-match": first})
    assert code(old) == (412, "precondition_failed")
    assert (await client.delete(address, headers={"if-match": second})).status_code == 204


async def test_two_who_read_the_same_version_do_not_both_write(
    client: httpx.AsyncClient, storage: str
) -> None:
    address = f"{storage}/k"
    etag = (await client.put(address, json={"value": 0})).headers["etag"]
    answers = await asyncio.gather(
        *(
            client.put(address, json={"value": value}, headers={"if-match": etag})
            for value in range(1, 9)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]


@pytest.mark.parametrize("values", [False, True])
async def test_keys_come_in_pages_in_both_orders(
    client: httpx.AsyncClient, storage: str, *, values: bool
) -> None:
    keys = [f"k{number}" for number in range(7)] + ["ü"]
    for key in keys:
        await client.put(f"{storage}/{quote(key)}", json={"value": key})

    async def walk(**query: Any) -> list[str]:
        found: list[str] = []
        while True:
            answer = await client.get(storage, params={"values": values, "limit": 3, **query})
            page = answer.json()
            found += [each["key"] for each in page["items"]]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    assert await walk() == keys
    assert await walk(reverse=True) == keys[::-1]
    assert await walk(prefix="k", start="k2", end="k6") == keys[2:6]
    assert await walk(prefix="k", reverse=True, end="k5") == keys[4::-1]
    assert await walk(start="x", end="a") == []
    wrong = await client.get(storage, params={"cursor": "AAAA"})
    assert code(wrong) == (400, "cursor_invalid")


async def test_pages_with_large_values_end_by_their_bytes(
    client: httpx.AsyncClient, storage: str
) -> None:
    octets = {"content-type": "application/octet-stream"}
    for number in range(3):
        address = f"{storage}/{number}/bytes"
        await client.put(address, content=bytes(1_900_000), headers=octets)
    first = (await client.get(storage, params={"values": True})).json()
    assert [each["key"] for each in first["items"]] == ["0", "1"]
    more = {"values": True, "cursor": first["next_cursor"]}
    second = (await client.get(storage, params=more)).json()
    assert ([each["key"] for each in second["items"]], second["next_cursor"]) == (["2"], None)
    sizes = (await client.get(storage)).json()["items"]
    assert [each["size_bytes"] for each in sizes] == [1_900_001] * 3


async def test_all_keys_of_a_prefix_are_deleted_and_no_others(
    client: httpx.AsyncClient, storage: str
) -> None:
    for key in ("a", "ab", "abc", "b"):
        await client.put(f"{storage}/{key}", json={"value": 1})
    missing = await client.delete(storage)
    assert code(missing) == (422, "fields_invalid")
    cleared = await client.delete(storage, params={"prefix": "ab"})
    assert cleared.json() == {"deleted": 2, "more": False}
    assert [each["key"] for each in (await client.get(storage)).json()["items"]] == ["a", "b"]
    assert (await client.delete(storage, params={"prefix": ""})).json()["deleted"] == 2


async def test_values_expire_as_they_were_put(client: httpx.AsyncClient, storage: str) -> None:
    later = {"value": 1, "expires_at": "2100-01-01T00:00:00Z"}
    await client.put(f"{storage}/later", json=later)
    await client.put(f"{storage}/over", json={"value": 1, "expires_at": "2001-01-01T00:00:00Z"})
    got = (await client.get(f"{storage}/later")).json()
    assert got["expires_at"] == "2100-01-01T00:00:00.000Z"
    assert code(await client.get(f"{storage}/over")) == (404, "key_unknown")
    for values in (False, True):
        listed = await client.get(storage, params={"values": values})
        assert [each["key"] for each in listed.json()["items"]] == ["later"]
    naive = {"value": 1, "expires_at": "2100-01-01T00:00:00"}
    assert code(await client.put(f"{storage}/k", json=naive)) == (422, "fields_invalid")


async def test_a_room_of_tinybase_is_changed_by_hand_only_if_that_is_meant(
    client: httpx.AsyncClient, name: str
) -> None:
    room = f"/admin/v1/namespaces/tinybase/objects/{name}"
    await client.put(f"{room}/content", json={"tables": {"t": {"r": {"c": 1}}}})
    (row,) = (await client.get(f"{room}/storage")).json()["items"]
    assert row["guarded"]
    address = f"{room}/storage/{quote(row['key'], safe='')}"
    for refused in (
        await client.put(address, json={"value": 1}),
        await client.delete(address),
        await client.delete(f"{room}/storage", params={"prefix": "~"}),
    ):
        assert code(refused) == (409, "storage_guarded")
    assert (await client.delete(address, params={"force": True})).status_code == 204
    assert (await client.get(f"{room}/content")).json() == {"tables": {}, "values": {}}


async def test_a_namespace_that_stores_nothing_refuses_keys(
    client: httpx.AsyncClient, name: str
) -> None:
    address = f"/admin/v1/namespaces/presence/objects/{name}/storage/k"
    refused = await client.put(address, json={"value": 1}, params={"force": True})
    assert code(refused) == (409, "unsupported")


async def test_a_deleted_object_can_be_read_and_not_changed(
    client: httpx.AsyncClient, storage: str, name: str
) -> None:
    await client.put(f"{storage}/k", json={"value": 1})
    gone = await client.delete(f"{OBJECTS}/{name}", params={"grace_seconds": 3_600})
    assert gone.status_code in {200, 204}
    assert (await client.get(f"{storage}/k")).json()["value"] == 1
    for refused in (
        await client.put(f"{storage}/k", json={"value": 2}),
        await client.delete(f"{storage}/k"),
    ):
        assert code(refused) == (410, "object_deleted")
    await client.post(f"{OBJECTS}/{name}/undelete")
    assert (await client.get(f"{storage}/k")).json()["value"] == 1


async def test_a_frozen_object_can_be_read_and_not_changed(
    client: httpx.AsyncClient, storage: str, name: str
) -> None:
    await client.put(f"{storage}/k", json={"value": 1})
    assert (await client.post(f"{OBJECTS}/{name}/freeze")).status_code in {200, 204}
    assert (await client.get(f"{storage}/k")).json()["value"] == 1
    refused = await client.put(f"{storage}/k", json={"value": 2})
    assert code(refused) == (409, "object_frozen")
    alarm = f"{OBJECTS}/{name}/alarms/a"
    assert code(await client.put(alarm, json={"due_at": "2100-01-01T00:00:00Z"}))[0] == 409
    await client.post(f"{OBJECTS}/{name}/thaw")
    assert (await client.put(f"{storage}/k", json={"value": 2})).status_code == 200
