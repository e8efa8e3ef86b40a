"""Administration and metering (R, 253 to 261). Nothing is metered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.core.clock import SystemClock
from app.settings import load_settings
from app.testing.harness import ObjectHarness
from app.wiring import Service
from tests.conformance.front import front_of
from tests.conformance.jotter import Jotter
from tests.conformance.verdicts import differs, not_offered

NAMESPACES = "/admin/v1/namespaces"
TOKEN = "a token of these tests only"


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"jotter": Jotter}) as made:
        yield made


@pytest.fixture
async def front(harness: ObjectHarness) -> AsyncIterator[httpx.AsyncClient]:
    async with front_of(harness) as client:
        yield client


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """A whole worker on Postgres."""
    settings = load_settings(
        database_url=database_url, data_dir=tmp_path, lease_seconds=20.0, admin_token=TOKEN
    )
    made = Service(settings, {"jotter": Jotter})
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def admin(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its admin API that may do everything."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service.asgi),
        base_url="http://localhost/admin/v1",
        headers={"authorization": f"Bearer {TOKEN}"},
    ) as client:
        yield client


async def walk(admin: httpx.AsyncClient, *, limit: int) -> list[str]:
    """The ids of all objects, page by page."""
    seen: list[str] = []
    asked: dict[str, str | int] = {"limit": limit}
    while True:
        page = (await admin.get("/namespaces/jotter/objects", params=asked)).json()
        assert len(page["items"]) <= limit
        seen += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            return seen
        asked["cursor"] = page["next_cursor"]


async def nothing_at(front: httpx.AsyncClient, path: str) -> bool:
    """Whether an address is answered with a plain 'nothing here'."""
    answer = await front.get(path)
    return (answer.status_code, answer.json()["code"]) == (404, "not_found")


@differs("a namespace is known by its name; it has no id and no script")
async def test_253_namespaces_are_listed(admin: httpx.AsyncClient) -> None:
    """The list of namespaces gives id, name, class and kind of storage."""
    (jotter, tinybase) = (await admin.get("/namespaces")).json()["items"]
    assert (jotter["name"], jotter["class_name"]) == ("jotter", f"{Jotter.__module__}:Jotter")
    assert tinybase["name"] == "tinybase"
    assert not {"id", "script"} & set(jotter)


@differs("pages have 1 to 1,000 objects, 100 unless asked")
async def test_254_objects_are_listed_by_pages(service: Service, admin: httpx.AsyncClient) -> None:
    """The list of objects comes in pages of 10 to 10,000; a full walk gives each id once."""
    jotters = service.outside.namespace("jotter")
    for number in range(7):
        await jotters.get_by_name(f"{number}").keep("key", number)
    whole = {str(jotters.id_from_name(f"{number}")) for number in range(7)}
    async with asyncio.timeout(30):  # the list follows what is committed after a second or two
        while set(seen := await walk(admin, limit=3)) != whole:
            await SystemClock().sleep(0.05)
    assert len(seen) == len(whole)
    for limit in (0, 1_001):
        refused = await admin.get("/namespaces/jotter/objects", params={"limit": limit})
        assert refused.status_code == 422


async def test_255_unknown_namespaces_and_broken_ids_have_their_status(
    admin: httpx.AsyncClient,
) -> None:
    """An unknown namespace is answered with 404 and a stable code, a broken id with 400."""
    unknown = await admin.get("/namespaces/unknown/objects")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "namespace_unknown")
    broken = await admin.get(f"/namespaces/jotter/objects/id:{'0' * 64}")
    assert (broken.status_code, broken.json()["code"]) == (400, "id_invalid")


@differs("an object that stores nothing any more has a page that says so, and no flag in the list")
async def test_256_an_emptied_object_has_no_stored_data(
    service: Service, admin: httpx.AsyncClient
) -> None:
    """The list says that an object without anything stored has no stored data."""
    stub = service.outside.namespace("jotter").get_by_name("a")
    await stub.keep("key", 1)
    assert (await admin.get("/namespaces/jotter/objects/a")).json()["rows"] == 1
    await stub.forget_all()
    assert (await admin.get("/namespaces/jotter/objects/a")).json()["rows"] == 0


async def test_257_contents_are_read_by_name_and_by_id(
    service: Service, admin: httpx.AsyncClient
) -> None:
    """Reading an object's contents by name and by id gives the same, and never another's."""
    jotters = service.outside.namespace("jotter")
    for name in ("a", "b"):
        await jotters.get_by_name(name).keep("key", f"of {name}")
    addresses = ["a", f"id:{jotters.id_from_name('a')}", "b"]
    read = [
        (await admin.get(f"/namespaces/jotter/objects/{address}/storage/key")).json()["value"]
        for address in addresses
    ]
    assert read == ["of a", "of a", "of b"]


@not_offered("objects have no SQL of their own")
async def test_258_wrong_queries_are_answered_with_400(front: httpx.AsyncClient) -> None:
    """A query on a namespace without SQL, and an error in it, are answered with 400."""
    answer = await front.post(f"{NAMESPACES}/jotter/query", json={"sql": "select 1"})
    assert answer.status_code == 404


@not_offered("nothing is billed; a worker counts nothing by request")
async def test_259_requests_and_messages_are_counted(
    harness: ObjectHarness, front: httpx.AsyncClient
) -> None:
    """A connect counts one request; twenty incoming messages bill as one, outgoing as none."""
    alice = await harness.connect("jotter", "a")
    for number in range(20):
        alice.say(str(number))
    await harness.settle()
    assert not [name for name in harness.counted if "message" in name or "request" in name]
    assert await nothing_at(front, "/metrics")


@not_offered("nothing is billed; rows are not counted")
async def test_260_rows_are_counted(harness: ObjectHarness) -> None:
    """Setting an alarm counts as one written row, a read of n keys as n reads."""
    await harness.stub("jotter", "a").wake_in(60)
    assert not [name for name in harness.counted if "row" in name or "read" in name]


@not_offered("nothing is billed; time is not counted")
async def test_261_time_is_counted_while_awake(harness: ObjectHarness) -> None:
    """Time counts while the object is awake, once for however many requests at a time."""
    await harness.room("jotter", "a")
    await harness.advance(5)
    assert not [name for name in harness.counted if "second" in name or "duration" in name]
