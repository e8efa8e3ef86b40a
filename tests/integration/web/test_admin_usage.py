"""What objects cost, through the admin API and the command line of a running service."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .patience import until
from .running_service import RunningService, ServerKind

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def metered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN, usage_seconds=1)


@pytest.fixture
async def client(metered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(metered) as made:
        yield made


async def usage_of(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(f"/admin/v1/namespaces/{path}/usage")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_messages_over_a_socket_are_in_the_sums_of_the_day(
    client: httpx.AsyncClient, metered: RunningService, name: str
) -> None:
    url = f"ws://127.0.0.1:{metered.port}/objects/speaker/{name}"
    async with websockets.connect(url) as socket:
        for _ in range(3):
            await socket.send("hello")
            await socket.recv()

    async def written() -> bool:
        days = (await usage_of(client, f"speaker/objects/{name}"))["days"]
        return bool(days) and days[0]["usage"]["messages_in"] == 3

    await until(written, seconds=WAIT_SECONDS)
    (day,) = (await usage_of(client, f"speaker/objects/{name}"))["days"]
    assert day["usage"]["bytes_in"] == 15
    assert day["usage"]["messages_out"] >= 3
    assert day["usage"]["wakes"] >= 1
    assert day["usage"]["cpu_us"] >= 0


async def test_a_costly_object_leads_the_ranking_of_the_day(
    client: httpx.AsyncClient, name: str
) -> None:
    body = b"x" * 50_000
    await client.post(f"/objects/counter/{name}", content=body)
    await client.post(f"/objects/counter/{name}-less", content=b"x")
    top: dict[str, Any] = {}

    async def ranked() -> bool:
        answer = await client.get("/admin/v1/usage/top?by=bytes_in&window=day&limit=200")
        assert answer.status_code == 200, answer.text
        top.update(answer.json())
        return {name, f"{name}-less"} <= {each["name"] for each in top["items"]}

    await until(ranked, seconds=WAIT_SECONDS)
    names = [each["name"] for each in top["items"]]
    assert names.index(name) < names.index(f"{name}-less")
    (mine,) = (each for each in top["items"] if each["name"] == name)
    assert (mine["amount"], mine["usage"]["commits"]) == (len(body), 1)


async def test_what_an_object_costs_now_is_asked_of_its_worker(
    client: httpx.AsyncClient, name: str
) -> None:
    async def ranked() -> bool:
        await client.post(f"/objects/counter/{name}")
        answer = (await client.get("/admin/v1/usage/top?by=events&limit=200")).json()
        assert answer["silent_workers"] == 0
        return name in {each["name"] for each in answer["items"]}

    await until(ranked, seconds=WAIT_SECONDS)

    async def told() -> bool:
        await client.post(f"/objects/counter/{name}")
        now = (await usage_of(client, f"counter/objects/{name}"))["now"]
        return now is not None and now["seconds"] > 0 and now["usage"]["requests"] > 0

    await until(told, seconds=WAIT_SECONDS)
    activity = (await client.get(f"/admin/v1/namespaces/counter/objects/{name}")).json()["activity"]
    assert activity["usage"].keys() >= {"cpu_us", "events", "bytes_out"}


async def test_objects_are_ranked_by_what_they_store(client: httpx.AsyncClient, name: str) -> None:
    await client.post(f"/objects/counter/{name}")

    async def ranked() -> bool:
        answer = (await client.get("/admin/v1/usage/top?by=stored_bytes&limit=200")).json()
        amounts = [each["amount"] for each in answer["items"]]
        assert amounts == sorted(amounts, reverse=True)
        return name in {each["name"] for each in answer["items"]}

    await until(ranked, seconds=WAIT_SECONDS)


async def test_what_cannot_be_ranked_is_refused(client: httpx.AsyncClient) -> None:
    for query in ("by=luck", "window=year", "limit=0", "limit=201"):
        answer = await client.get(f"/admin/v1/usage/top?{query}")
        assert answer.status_code == 422, answer.text


async def test_an_object_that_never_was_costs_nothing(client: httpx.AsyncClient, name: str) -> None:
    assert await usage_of(client, f"counter/objects/{name}") == {"now": None, "days": []}
    assert (await client.get("/admin/v1/namespaces/none/objects/x/usage")).status_code == 404
