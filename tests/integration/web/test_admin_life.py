"""The life of objects and workers over the admin plane, as an operator meets it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .running_service import RunningService, ServerKind


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(steered) as made:
        yield made


def address(name: str) -> str:
    return f"/admin/v1/namespaces/counter/objects/{name}"


async def count(client: httpx.AsyncClient, name: str) -> int:
    """Let the object count once."""
    answer = await client.post(f"/objects/counter/{name}")
    assert answer.status_code == 200, answer.text
    counted: int = answer.json()["count"]
    return counted


async def test_a_frozen_object_answers_409_to_a_change_until_it_is_thawed(
    client: httpx.AsyncClient,
) -> None:
    await count(client, "frozen")
    frozen = (await client.post(address("frozen") + "/freeze")).json()
    assert frozen["frozen_at"].endswith("Z")
    assert (frozen["name"], frozen["namespace"], frozen["deleted_at"]) == (
        "frozen",
        "counter",
        None,
    )
    refused = await client.post("/objects/counter/frozen")
    assert (refused.status_code, refused.json()["code"]) == (409, "object_frozen")
    by_id = await client.post(address(f"id:{frozen['id']}") + "/thaw")
    assert by_id.json()["frozen_at"] is None
    await count(client, "frozen")


async def test_a_deleted_object_is_gone_until_it_is_undeleted(client: httpx.AsyncClient) -> None:
    first = await count(client, "deleted")
    deleted = (await client.delete(address("deleted"))).json()
    assert deleted["deleted_at"] < deleted["purge_at"]
    assert not deleted["purged"]
    gone = await client.post("/objects/counter/deleted")
    assert (gone.status_code, gone.json()["code"]) == (410, "object_deleted")
    refused = await client.post(address("deleted") + "/freeze")
    assert (refused.status_code, refused.json()["code"]) == (410, "object_deleted")
    listed = (await client.get("/admin/v1/deleted-objects")).json()
    assert [item["name"] for item in listed["items"]] == ["deleted"]
    assert listed["items"][0] == deleted
    back = await client.post(address("deleted") + "/undelete")
    assert (back.status_code, back.json()["purge_at"]) == (200, None)
    assert await count(client, "deleted") == first + 1


async def test_what_is_deleted_without_grace_is_purged_at_once(client: httpx.AsyncClient) -> None:
    first = await count(client, "purged")
    await count(client, "purged")
    answer = await client.delete(address("purged"), params={"grace_seconds": 0})
    assert answer.json()["purged"]
    unknown = await client.post(address("purged") + "/undelete")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "object_unknown")
    assert await count(client, "purged") == first


@pytest.mark.parametrize("grace", ["-1", "nan", "inf", "1e12", "soon"])
async def test_a_grace_time_is_bounded(client: httpx.AsyncClient, grace: str) -> None:
    answer = await client.delete(address("any"), params={"grace_seconds": grace})
    assert (answer.status_code, answer.json()["code"]) == (422, "fields_invalid")


async def test_an_object_is_started_and_evicted(client: httpx.AsyncClient) -> None:
    await count(client, "awake")
    evicted = await client.post(address("awake") + "/evict")
    assert evicted.json() == {"evicted": True}
    assert (await client.post(address("awake") + "/evict")).json() == {"evicted": False}
    worker = (await client.get("/admin/v1/workers")).json()["items"][-1]
    started = await client.post(address("awake") + "/activate")
    assert started.json() == {"worker_id": worker["worker_id"]}
    given_up = await client.post(address("awake") + "/evict", params={"close_sockets": True})
    assert given_up.json() == {"evicted": True}
    stays = await client.post(address("awake") + "/move", json={"worker_id": worker["worker_id"]})
    assert stays.json() == {"worker_id": worker["worker_id"]}
    alone = await client.post(address("awake") + "/move", json={})
    assert (alone.status_code, alone.json()["code"]) == (409, "worker_not_live")


@pytest.mark.parametrize("action", ["activate", "evict", "move", "freeze", "thaw", "undelete"])
async def test_what_is_not_there_is_unknown(client: httpx.AsyncClient, action: str) -> None:
    json: dict[str, str] | None = {} if action == "move" else None
    answer = await client.post(f"{address('nobody')}/{action}", json=json)
    assert (answer.status_code, answer.json()["code"]) == (404, "object_unknown")
    nowhere = await client.post(f"/admin/v1/namespaces/nowhere/objects/x/{action}", json=json)
    assert nowhere.status_code == 404


async def test_workers_are_listed_page_by_page_drained_and_undrained(
    client: httpx.AsyncClient,
) -> None:
    seen = []
    cursor = None
    while True:
        query = {"limit": "1", "state": "live"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/admin/v1/workers", params=query)).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    (worker,) = seen
    assert (worker["state"], worker["duty"], worker["slot"]) == ("live", "serving", 0)
    own = f"/admin/v1/workers/{worker['worker_id']}"
    drained = (await client.post(own + "/drain")).json()
    assert (drained["state"], drained["duty"]) == ("draining", "draining")
    assert (await client.get(own)).json()["state"] == "draining"
    assert (await client.post(own + "/undrain")).json()["duty"] == "serving"
    for nobody in ("00000000-0000-4000-8000-000000000000", "me"):
        answer = await client.post(f"/admin/v1/workers/{nobody}/drain")
        assert (answer.status_code, answer.json()["code"]) == (404, "worker_unknown")


async def test_a_namespace_has_a_log_level_of_its_own(client: httpx.AsyncClient) -> None:
    own = "/admin/v1/namespaces/counter/log-level"
    assert (await client.get(own)).json() == {"namespace": "counter", "level": None}
    assert (await client.put(own, json={"level": "error"})).json()["level"] == "error"
    assert (await client.get(own)).json()["level"] == "error"
    wrong = await client.put(own, json={"level": "loud"})
    assert wrong.status_code == 422
    assert (await client.put(own, json={"level": None})).json()["level"] is None
    assert (await client.get("/admin/v1/namespaces/none/log-level")).status_code == 404


CHANGES: dict[str, tuple[str, str, dict[str, object]]] = {
    "put a key": ("PUT", "/storage/key", {"json": {"value": 1}}),
    "delete a key": ("DELETE", "/storage/count", {}),
    "delete all keys": ("DELETE", "/storage?prefix=count", {}),
    "restore": ("POST", "/restore", {"json": {"time": "now"}}),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_no_operator_changes_what_is_frozen_or_deleted(
    client: httpx.AsyncClient, change: str
) -> None:
    name = change.replace(" ", "-")
    await count(client, name)
    await count(client, name)
    keys = (await client.get(address(name) + "/storage")).json()
    method, below, body = CHANGES[change]
    if change == "restore":
        states = (await client.get(address(name) + "/history")).json()["items"]
        body = {"json": {"bookmark": states[-1]["bookmark"]}}
    await client.post(address(name) + "/freeze")
    refused = await client.request(method, address(name) + below, **body)  # type: ignore[arg-type]  # as httpx takes them
    assert (refused.status_code, refused.json()["code"]) == (409, "object_frozen")
    assert (await client.get(address(name) + "/storage")).json() == keys
    await client.delete(address(name))
    gone = await client.request(method, address(name) + below, **body)  # type: ignore[arg-type]  # the same
    assert gone.status_code in {404, 410}, gone.text
    await client.post(address(name) + "/undelete")
    assert (await client.get(address(name) + "/storage")).json() == keys


async def test_an_import_leaves_a_frozen_object_and_a_deleted_name_alone(
    client: httpx.AsyncClient,
) -> None:
    ndjson = {"content-type": "application/x-ndjson"}
    await count(client, "copied")
    export = await client.get(address("copied") + "/export")
    assert export.status_code == 200
    await count(client, "copied")
    keys = (await client.get(address("copied") + "/storage")).json()
    for steer, code in (("freeze", "object_frozen"), ("delete", "object_deleted")):
        if steer == "freeze":
            await client.post(address("copied") + "/freeze")
        else:
            await client.delete(address("copied"))
        told = await client.post(
            "/admin/v1/import?mode=replace", content=export.content, headers=ndjson
        )
        assert told.status_code == 200
        assert code in told.text
    await client.post(address("copied") + "/undelete")
    assert (await client.get(address("copied") + "/storage")).json() == keys
