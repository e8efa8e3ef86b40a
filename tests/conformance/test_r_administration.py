"""Administration and metering (R, 253 to 261): its addresses are reserved, and nothing is there."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.errors import IdInvalid, NamespaceUnknown
from app.testing.harness import ObjectHarness
from tests.conformance.front import front_of
from tests.conformance.jotter import Jotter
from tests.conformance.verdicts import not_offered

NAMESPACES = "/admin/v1/namespaces"


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"jotter": Jotter}) as made:
        yield made


@pytest.fixture
async def front(harness: ObjectHarness) -> AsyncIterator[httpx.AsyncClient]:
    async with front_of(harness) as client:
        yield client


async def nothing_at(front: httpx.AsyncClient, path: str) -> bool:
    """Whether an address is answered with a plain 'nothing here'."""
    answer = await front.get(path)
    return (answer.status_code, answer.json()["code"]) == (404, "not_found")


@not_offered("it comes with the admin API")
async def test_253_namespaces_are_listed(front: httpx.AsyncClient) -> None:
    """The list of namespaces gives id, name, class and kind of storage."""
    assert await nothing_at(front, NAMESPACES)


@not_offered("it comes with the admin API")
async def test_254_objects_are_listed_by_pages(front: httpx.AsyncClient) -> None:
    """The list of objects comes in pages of 10 to 10,000; a full walk gives each id once."""
    assert await nothing_at(front, f"{NAMESPACES}/jotter/objects?limit=10")


@not_offered("it comes with the admin API; stubs raise errors of their own for both")
async def test_255_unknown_namespaces_and_broken_ids_have_their_status(
    harness: ObjectHarness, front: httpx.AsyncClient
) -> None:
    """An unknown namespace is answered with 404 and a stable code, a broken id with 400."""
    assert await nothing_at(front, f"{NAMESPACES}/unknown/objects")
    with pytest.raises(NamespaceUnknown):
        harness.stubs.namespace("unknown")
    with pytest.raises(IdInvalid):
        harness.stubs.namespace("jotter").id_from_string("broken")


@not_offered("it comes with the admin API; tests of objects have `list_rooms`")
async def test_256_an_emptied_object_has_no_stored_data(front: httpx.AsyncClient) -> None:
    """The list says that an object without anything stored has no stored data."""
    assert await nothing_at(front, f"{NAMESPACES}/jotter/objects")


@not_offered("it comes with the admin API; an object is reached by its name under /objects/")
async def test_257_contents_are_read_by_name_and_by_id(
    harness: ObjectHarness, front: httpx.AsyncClient
) -> None:
    """Reading an object's contents by name and by id gives the same, and never another's."""
    object_id = harness.object_id("jotter", "a")
    assert await nothing_at(front, f"{NAMESPACES}/jotter/objects/{object_id}/storage")
    assert (await front.get("/objects/jotter/a")).status_code == 200


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
