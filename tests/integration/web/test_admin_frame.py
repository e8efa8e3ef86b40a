"""The frame of the admin plane on a running service: who may come in, and what is answered."""

from collections.abc import AsyncIterator

import httpx
import pytest

from .administrators import ADMIN_TOKEN, AS_ADMIN
from .conftest import StartService
from .running_service import RunningService, ServerKind


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{steered.port}") as made:
        yield made


async def test_the_token_of_the_settings_is_an_admins(client: httpx.AsyncClient) -> None:
    answer = await client.get("/admin/v1/me", headers=AS_ADMIN)
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["role"]) == ("settings", "admin")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["stateroom-request-id"]


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}, {"authorization": "x"}])
async def test_without_a_valid_token_nothing_is_told(
    client: httpx.AsyncClient, header: dict[str, str]
) -> None:
    for path in ("/admin/v1/me", "/admin/v1/nowhere"):
        answer = await client.get(path, headers=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "admin_token_required")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_addresses_and_methods_have_their_problems(client: httpx.AsyncClient) -> None:
    for path in ("/admin/x", "/admin/v2/me", "/admin/v1", "/admin/v1/", "/admin/v1/me/"):
        answer = await client.get(path, headers=AS_ADMIN)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    for method in ("POST", "TRACE", "PROPFIND"):
        answer = await client.request(method, "/admin/v1/me", headers=AS_ADMIN)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"


async def test_a_person_finds_a_page_and_a_program_the_description(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/admin", "/admin/"):
        page = await client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    description = await client.get("/admin/openapi.json")
    assert description.json()["openapi"] == "3.1.0"
    refused = await client.post("/admin/openapi.json")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD"


async def test_host_and_origin_are_checked_as_everywhere(client: httpx.AsyncClient) -> None:
    rebound = await client.get("/admin/v1/me", headers={**AS_ADMIN, "host": "evil.example"})
    assert (rebound.status_code, rebound.json()["code"]) == (421, "host_not_allowed")
    foreign = {**AS_ADMIN, "origin": "https://evil.example"}
    answer = await client.get("/admin/v1/me", headers=foreign)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


async def test_fields_that_nobody_knows_are_named(client: httpx.AsyncClient) -> None:
    answer = await client.get("/admin/v1/me?colour=red", headers=AS_ADMIN)
    assert (answer.status_code, answer.json()["code"]) == (422, "fields_invalid")
    assert answer.json()["errors"] == [{"pointer": "?colour", "detail": "is not known here"}]


async def test_head_is_answered_like_get_without_a_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/admin/v1/me", headers=AS_ADMIN)
    assert (answer.status_code, answer.content) == (200, b"")
