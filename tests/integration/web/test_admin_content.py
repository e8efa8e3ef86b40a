"""The content of a TinyBase room through the admin API of a running service."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .running_service import RunningService, ServerKind

JSON = {"content-type": "application/json"}
PATCH = {"content-type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService, name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(steered, f"/admin/v1/namespaces/tinybase/objects/{name}") as made:
        yield made


async def test_contents_are_put_patched_read_and_deleted_by_their_addresses(
    client: httpx.AsyncClient,
) -> None:
    content = {"tables": {"a/b": {"r?": {"c": 1}}}, "values": {"open": True}}
    assert (await client.put("/content", json=content)).status_code == 204
    answer = await client.get("/content")
    assert (answer.status_code, answer.json()) == (200, content)
    assert answer.headers["content-type"] == "application/json"
    row = f"/content/tables/{quote('a/b', safe='')}/rows/{quote('r?', safe='')}"
    patch = '{"c": null, "d": {"e": [1]}}'
    assert (await client.patch(row, content=patch, headers=PATCH)).status_code == 204
    assert (await client.get(row)).json() == {"d": {"e": [1]}}
    null = await client.put("/content/values/open", content="null", headers=JSON)
    assert null.status_code == 204
    assert (await client.get("/content/values")).json() == {"open": None}
    assert (await client.delete(row)).status_code == 204
    assert (await client.get(row)).status_code == 404
    assert (await client.get("/content")).json() == {"tables": {}, "values": {"open": None}}


async def test_what_cannot_be_done_is_a_problem_with_its_code(client: httpx.AsyncClient) -> None:
    unknown = await client.get("/content")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "object_unknown")
    wrong = await client.put("/content", json={"tables": {"t": []}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "content_invalid")
    assert wrong.json()["detail"] == "tables/t is an array, not an object of rows"
    missing = await client.delete("/content/tables/t")
    assert (missing.status_code, missing.json()["code"]) == (404, "content_unknown")
    typed = await client.patch("/content", json={})
    assert (typed.status_code, typed.json()["code"]) == (415, "media_type_unknown")


async def test_rooms_and_classes_without_content_say_so(
    client: httpx.AsyncClient, steered: RunningService
) -> None:
    for namespace in ("presence", "counter"):
        url = f"http://127.0.0.1:{steered.port}/admin/v1/namespaces/{namespace}/objects/x/content"
        answer = await client.patch(url, content="{}", headers=PATCH)
        assert (answer.status_code, answer.json()["code"]) == (409, "no_content"), namespace


async def test_content_moves_out_and_in(client: httpx.AsyncClient) -> None:
    content = {"tables": {"t": {"r": {"c": 1}}}, "values": {}}
    assert (await client.put("/content", json=content)).status_code == 204
    out = await client.get("/content/export?format=mergeable")
    assert out.status_code == 200
    full = await client.post("/content/import?format=content", content=out.content)
    assert (full.status_code, full.json()["code"]) == (409, "content_present")
    again = await client.post("/content/import?format=content&mode=merge", content=out.content)
    assert again.json() == {"size_bytes": len(out.content), "events": 1}
    wrong = await client.post("/content/import?format=content&mode=if_empty", content=b"[]")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "fields_invalid")
    broken = await client.post("/content/import?format=sqlite&mode=merge", content=b"x" * 100)
    assert (broken.status_code, broken.json()["code"]) == (422, "content_invalid")
