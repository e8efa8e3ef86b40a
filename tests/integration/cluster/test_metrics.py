"""The metrics of all workers, asked of one of them."""

import httpx
from prometheus_client.parser import text_string_to_metric_families as read_text

from app.cluster.metrics import worker_label
from app.wiring import Service
from tests.integration.cluster.pair import Pair

CLIENT = ("127.0.0.1", 50_000)


async def _scrape(service: Service, target: str = "/metrics") -> dict[tuple[str, ...], float]:
    """The values of a scrape by name and worker; of other labels the last one counts."""
    transport = httpx.ASGITransport(service.asgi, client=CLIENT)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get(target)
    assert answer.status_code == 200
    return {
        (sample.name, sample.labels.get("worker", "")): sample.value
        for family in read_text(answer.text)
        for sample in family.samples
    }


def _label(service: Service) -> str:
    identity = service._current.identity
    return worker_label(identity.node, identity.slot)


async def test_whichever_worker_is_asked_tells_of_all(pair: Pair) -> None:
    await pair.ask(pair.first, "counted")
    labels = {_label(pair.first), _label(pair.second)}
    for service in (pair.first, pair.second):
        values = await _scrape(service)
        up = {worker for name, worker in values if name == "stateroom_worker_up"}
        assert up == labels
        assert all(values["stateroom_worker_up", worker] == 1 for worker in labels)
        assert values["stateroom_rooms_opened_total", _label(pair.first)] == 1
        assert values["stateroom_rooms_opened_total", _label(pair.second)] == 0
        assert values["stateroom_database_up", _label(pair.second)] == 1
        assert values["stateroom_workers", ""] in {0, 2}, "live, or draining"


async def test_one_machine_alone_can_be_asked_for(pair: Pair) -> None:
    values = await _scrape(pair.first, "/metrics?scope=node")
    up = {worker for name, worker in values if name == "stateroom_worker_up"}
    assert up == {_label(pair.first)}


async def test_a_worker_that_cannot_be_reached_is_down_and_the_others_are_told(pair: Pair) -> None:
    links = pair.second._others.links
    assert links._server is not None
    links._server.close()
    for link in [*links._all, *pair.first._others.links._all]:
        link.close()
    values = await _scrape(pair.first)
    assert values["stateroom_worker_up", _label(pair.second)] == 0
    assert values["stateroom_worker_up", _label(pair.first)] == 1
    assert ("stateroom_database_up", _label(pair.second)) not in values


async def test_rooms_that_are_taken_from_a_dead_worker_are_counted(pair: Pair) -> None:
    await pair.ask(pair.first, "orphaned")
    await pair.database.fetch(
        "update worker set state = 'dead' where worker_id = $1", pair.first._current.worker_id
    )
    await pair.ask(pair.second, "orphaned")
    values = await _scrape(pair.second)
    assert values["stateroom_failovers_total", _label(pair.second)] == 1
