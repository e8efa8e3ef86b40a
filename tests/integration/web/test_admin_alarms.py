"""Alarms of one object and of all through the admin API of a running service."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .patience import until
from .pupils import PUPILS, Pupil
from .running_service import RunningService, ServerKind

FAR = "2100-01-01T00:00:00.000Z"
FAILED_OFTEN = (
    "update object_alarm set counted_attempts = 6, next_attempt_at = now() "
    "where name = 'bad' and object_id = $1"
)


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, PUPILS, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    Pupil.rung.clear()
    async with administrator(steered, "/admin/v1") as made:
        yield made


@pytest.fixture
def alarms(name: str) -> str:
    return f"/namespaces/pupil/objects/{name}/alarms"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def names(client: httpx.AsyncClient, address: str, **query: Any) -> list[str]:
    answer = await client.get(address, params=query)
    assert answer.status_code == 200
    return [each["name"] for each in answer.json()["items"]]


async def test_an_alarm_is_set_read_replaced_and_cancelled(
    client: httpx.AsyncClient, alarms: str
) -> None:
    payload = {"to": [1, {"$": ["set", "x"]}]}
    body = {"due_at": FAR, "payload": payload, "every_seconds": 90.5}
    assert (await client.put(f"{alarms}/tea", json=body)).status_code == 204
    assert (await client.put(f"{alarms}/", json={"due_at": FAR})).status_code == 204
    told = (await client.get(f"{alarms}/tea")).json()
    assert told == {
        "name": "tea",
        "state": "set",
        "internal": False,
        "due_at": FAR,
        "next_attempt_at": FAR,
        "every_seconds": 90.5,
        "payload": payload,
        "failed_runs": 0,
        "interrupted_runs": 0,
        "failure": None,
    }
    assert await names(client, alarms) == ["", "tea"]
    sooner = {"due_at": "2099-01-01T00:00:00Z"}
    await client.put(f"{alarms}/tea", json=sooner)
    assert await names(client, alarms) == ["tea", ""]
    removed = await client.delete(f"{alarms}/tea")
    assert removed.json() == {"was_given_up": False}
    assert code(await client.get(f"{alarms}/tea")) == (404, "alarm_unknown")
    assert code(await client.delete(f"{alarms}/tea")) == (404, "alarm_unknown")
    assert (await client.get(f"{alarms}/")).json()["name"] == ""


async def test_what_is_due_rings_and_what_is_not_can_be_rung_now(
    client: httpx.AsyncClient, alarms: str
) -> None:
    await client.put(f"{alarms}/past", json={"due_at": "2001-01-01T00:00:00Z", "payload": 1})
    await until(lambda: ("past", 1) in Pupil.rung)
    await client.put(f"{alarms}/far", json={"due_at": FAR, "payload": 2})
    rung = await client.post(f"{alarms}/far/retry")
    assert (rung.status_code, rung.json()) == (200, {"was_given_up": False})
    await until(lambda: ("far", 2) in Pupil.rung)

    async def none_is_left() -> bool:
        return await names(client, alarms) == []

    await until(none_is_left)


async def test_what_was_given_up_is_a_dead_letter_that_can_be_retried_and_dropped(
    client: httpx.AsyncClient, alarms: str, steered: RunningService, name: str
) -> None:
    await client.put(f"{alarms}/bad", json={"due_at": FAR, "payload": "p"})
    object_id = steered.registry.ids.from_name("pupil", name)

    async def given_up() -> bool:
        return "bad" in await names(client, "/dead-letters", namespace="pupil")

    async def fail_for_the_last_time() -> None:
        database = steered.registry._environment.store._database
        await database.fetch(FAILED_OFTEN, object_id.uuid)

    await steered.do(fail_for_the_last_time)
    await until(given_up)
    (told,) = [
        each
        for each in (await client.get("/dead-letters")).json()["items"]
        if each["object"] == name
    ]
    assert (told["namespace"], told["object_id"]) == ("pupil", str(object_id))
    assert (told["state"], told["next_attempt_at"]) == ("given_up", None)
    assert (told["failure"]["error_class"], told["payload"]) == ("ValueError", "p")
    assert await names(client, "/dead-letters", namespace="deaf") == []
    runs = len(Pupil.rung)
    retried = await client.post(f"{alarms}/bad/retry")
    assert retried.json() == {"was_given_up": True}
    await until(lambda: len(Pupil.rung) > runs)
    assert await names(client, "/dead-letters") == []
    assert (await client.delete(f"{alarms}/bad")).status_code == 200


async def test_the_alarms_of_all_objects_are_listed_as_they_will_ring(
    client: httpx.AsyncClient, name: str
) -> None:
    for year, which in ((2_091, "b"), (2_090, "a"), (2_092, "c")):
        address = f"/namespaces/pupil/objects/{name}-{which}/alarms/{which}"
        await client.put(address, json={"due_at": f"{year}-01-01T00:00:00Z"})
    page = (await client.get("/alarms", params={"limit": 2, "until": FAR})).json()
    assert [each["object"] for each in page["items"]] == [f"{name}-a", f"{name}-b"]
    query = {"limit": 2, "until": FAR, "cursor": page["next_cursor"]}
    assert await names(client, "/alarms", **query) == ["c"]
    assert await names(client, "/alarms", until="2091-01-01T00:00:00Z") == ["a"]


async def test_alarms_that_no_author_could_set_are_refused(
    client: httpx.AsyncClient, alarms: str, name: str
) -> None:
    for address, body in (
        (f"{alarms}/%01expiry", {"due_at": FAR}),
        (f"{alarms}/{'n' * 257}", {"due_at": FAR}),
        (f"{alarms}/a%00b", {"due_at": FAR}),
        (f"{alarms}/a", {"due_at": "1960-01-01T00:00:00Z"}),
        (f"{alarms}/a", {"due_at": FAR, "every_seconds": 0.5}),
        (f"{alarms}/a", {"due_at": FAR, "payload": "x" * 5_000}),
        (f"{alarms}/a", {"due_at": FAR, "payload": {"$": 1}}),
        (f"{alarms}/a", {"due_at": "2100-01-01T00:00:00"}),
        (f"{alarms}/a", {}),
    ):
        answer = await client.put(address, json=body)
        assert answer.status_code == 422, address
    deaf = f"/namespaces/deaf/objects/{name}/alarms/a"
    assert code(await client.put(deaf, json={"due_at": FAR})) == (409, "unsupported")
    assert code(await client.get(f"{alarms}/a%00b")) == (404, "alarm_unknown")


async def test_the_services_own_alarms_are_shown_marked_and_left_alone(
    client: httpx.AsyncClient, alarms: str
) -> None:
    later = {"value": 1, "expires_at": FAR}
    await client.put(f"{alarms.removesuffix('/alarms')}/storage/k", json=later)
    (told,) = (await client.get(alarms)).json()["items"]
    assert told["internal"]
    assert code(await client.delete(f"{alarms}/%01expiry")) == (422, "storage_refused")
    assert code(await client.post(f"{alarms}/%01expiry/retry")) == (422, "storage_refused")
    assert (await client.get(alarms)).json()["items"] == [told]


async def test_an_object_that_is_not_there_has_no_alarms(
    client: httpx.AsyncClient, alarms: str
) -> None:
    for answer in (
        await client.get(alarms),
        await client.get(f"{alarms}/a"),
        await client.delete(f"{alarms}/a"),
        await client.post(f"{alarms}/a/retry"),
    ):
        assert code(answer) == (404, "object_unknown")


async def test_cursors_of_other_lists_are_refused(client: httpx.AsyncClient) -> None:
    for cursor in ("AAAA", "bm90", "x"):
        answer = await client.get("/alarms", params={"cursor": cursor})
        assert code(answer) == (400, "cursor_invalid")
