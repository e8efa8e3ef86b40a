"""What there is, through the admin API of a running service: lists, one object, tags, figures."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
import websockets

from app.settings import load_settings

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .objects import Counter
from .patience import until
from .running_service import RunningService, ServerKind

WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(steered) as made:
        yield made


async def listed(client: httpx.AsyncClient, path: str, count: int) -> dict[str, Any]:
    """A list, as soon as it holds so many objects whose sizes are known and current."""
    page: dict[str, Any] = {}

    async def complete() -> bool:
        answer = await client.get(f"/admin/v1{path}")
        assert answer.status_code == 200, answer.text
        page.update(answer.json())
        items = page["items"]
        return len(items) == count and all(each["size_current"] for each in items)

    await until(complete, seconds=WAIT_SECONDS)
    return page


async def test_objects_are_listed_page_by_page_soon_after_they_were_reached(
    client: httpx.AsyncClient, name: str
) -> None:
    for number in range(5):
        await client.post(f"/objects/counter/{name}-{number}")
    path = f"/namespaces/counter/objects?prefix={name}&sort=-name&limit=2"
    await listed(client, f"/namespaces/counter/objects?prefix={name}", 5)
    found: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"/admin/v1{path}{cursor}")).json()
        found += [each["name"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [f"{name}-{number}" for number in (4, 3, 2, 1, 0)]


async def test_an_object_tells_what_it_stores_and_what_it_is_doing(
    client: httpx.AsyncClient, steered: RunningService, name: str
) -> None:
    assert (await client.get(f"/admin/v1/namespaces/speaker/objects/{name}")).status_code == 404
    url = f"ws://127.0.0.1:{steered.port}/objects/speaker/{quote(name)}"
    async with websockets.connect(url) as socket:
        await socket.send("hello")
        await socket.recv()
        told = (await client.get(f"/admin/v1/namespaces/speaker/objects/{name}")).json()
        assert (told["name"], told["live"], told["commit_seq"]) == (name, True, 0)
        activity = told["activity"]
        assert (activity["state"], activity["awake"], activity["connections"]) == (
            "active",
            True,
            1,
        )
        assert len(activity["members"]) == 1
        assert activity["events"] >= 2
        assert (activity["queued_events"], activity["unconfirmed_bytes"]) == (0, 0)
        same = await client.get(f"/admin/v1/namespaces/speaker/objects/id:{told['id']}")
        assert same.json()["name"] == name
    await client.post(f"/objects/counter/{name}")
    told = (await client.get(f"/admin/v1/namespaces/counter/objects/{name}")).json()
    assert (told["commit_seq"], told["rows"], told["size_current"]) == (1, 1, True)
    assert told["activity"]["commits"] == 1
    assert told["alarms"] == {"pending": 0, "given_up": 0, "next_at": None}


async def test_tags_are_put_told_and_searched_by(client: httpx.AsyncClient, name: str) -> None:
    one = f"/admin/v1/namespaces/counter/objects/{name}"
    unknown = await client.put(f"{one}/tags", json={"tags": ["red"]})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "object_unknown")
    await client.post(f"/objects/counter/{name}")
    put = await client.put(f"{one}/tags", json={"tags": [name, "red", "red"]})
    assert (put.status_code, put.json()) == (200, {"tags": sorted([name, "red"])})
    assert (await client.get(one)).json()["tags"] == sorted([name, "red"])
    page = await listed(client, f"/objects?tag={name}", 1)
    assert page["items"][0]["name"] == name
    for wrong in ([""], ["x" * 129], [str(number) for number in range(33)], ["a\0b"]):
        refused = await client.put(f"{one}/tags", json={"tags": wrong})
        assert refused.status_code == 422, wrong
    assert (await client.put(f"{one}/tags", json={"tags": []})).json() == {"tags": []}


async def test_namespaces_tell_their_class_and_what_they_hold(
    client: httpx.AsyncClient, name: str
) -> None:
    await client.post(f"/objects/counter/{name}")
    await listed(client, f"/objects?prefix={name}", 1)
    items = {
        each["name"]: each for each in (await client.get("/admin/v1/namespaces")).json()["items"]
    }
    presence = items["presence"]
    assert presence["class_name"] == "stateroom.tinybase:TinyBaseRoom"
    assert (presence["durability"], presence["mounted"]) == ("none", True)
    assert items["counter"]["class_name"].endswith("objects:Counter")
    assert items["counter"]["objects"] >= 1
    assert items["counter"]["size_bytes"] > 0
    one = await client.get("/admin/v1/namespaces/counter")
    assert one.json()["class_name"] == items["counter"]["class_name"]
    assert (await client.get("/admin/v1/namespaces/nothing")).json()["code"] == "namespace_unknown"
    stats = (await client.get("/admin/v1/stats")).json()
    assert stats["workers"] == {"live": 1, "draining": 0}
    assert stats["objects"] >= items["counter"]["objects"]
    assert stats["database_bytes"] > 0


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=AAAA", 400, "cursor_invalid"),
        ("sort=age", 422, "fields_invalid"),
        ("limit=0", 422, "fields_invalid"),
        ("min_bytes=-1", 422, "fields_invalid"),
        ("min_bytes=99999999999999999999", 422, "fields_invalid"),
        ("committed_after=2026-01-01T00:00:00", 422, "fields_invalid"),
        ("owner=me", 422, "fields_invalid"),
        ("nothing=1", 422, "fields_invalid"),
        ("prefix=%00", 422, "fields_invalid"),
        ("prefix=%ff", 422, "fields_invalid"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(
    client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    answer = await client.get(f"/admin/v1/objects?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "query",
    [
        "committed_after=0001-01-01T00:00:00Z",
        "committed_before=9999-12-31T23:59:59.999999-23:59&sort=-last_commit",
        "max_bytes=9223372036854775807&sort=size&live=false",
        "prefix=%F4%8F%BF%BF&tag=%25",
        "owner=00000000-0000-0000-0000-000000000000&live=true&min_bytes=0&limit=1000",
    ],
)
async def test_the_ends_of_every_range_can_be_asked(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/admin/v1/objects?{query}")).status_code == 200


async def test_what_was_committed_just_before_a_stop_is_in_the_lists(
    database_url: str, open_folder: Path, name: str
) -> None:
    settings = load_settings(database_url=database_url, data_dir=open_folder / name)
    with RunningService(settings, {"counter": Counter}, ServerKind.DIRECT) as service:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as made:
            for _ in range(3):
                await made.post(f"/objects/counter/{name}")
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("select name, commit_seq, worker_id from object_listing")
    await connection.close()
    assert [tuple(row) for row in rows] == [(name, 3, None)]
