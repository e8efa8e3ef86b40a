"""`/metrics`: who may read it, and what a scrape of a used service tells."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.core.codec import parse_json
from app.core.metric_catalogue import METRICS
from app.core.metrics import Kind
from tests.deploy.monitoring_files import dashboard_expressions, rules, series_in

from .administrators import ADMIN_TOKEN
from .conftest import StartService
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket, exchange, request_text

METRICS_TOKEN = "a-token-of-the-tests-of-metrics"


async def _status(service: RunningService, headers: dict[str, str], host: str = "127.0.0.1") -> int:
    request = request_text("GET", "/metrics", headers=list(headers.items()), host=host)
    return (await exchange(service.port, request)).status


@pytest.fixture(scope="module")
def guarded(start_service: StartService) -> RunningService:
    """A service whose metrics need a token."""
    return start_service(
        ServerKind.DIRECT,
        metrics_access="token",
        metrics_token=METRICS_TOKEN,
        admin_token=ADMIN_TOKEN,
    )


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (METRICS_TOKEN, 200),
        (ADMIN_TOKEN, 200),
        ("stm_0123456789abcdef_" + "0" * 64, 401),
        ("", 401),
    ],
)
async def test_a_token_of_the_metrics_or_of_the_admin_plane_is_needed(
    guarded: RunningService, token: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert await _status(guarded, headers) == status


async def test_on_loopback_this_machine_alone_needs_no_token(service: RunningService) -> None:
    assert await _status(service, {}) == 200
    assert await _status(service, {}, host=f"localhost:{service.port}") == 200
    assert await _status(service, {}, host="10.0.0.7:8000") == 401
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert await _status(service, {header: "192.0.2.1"}) == 401
    foreign = {"Origin": "https://evil.example"}
    assert await _status(service, foreign) == 403


@pytest.fixture(scope="module")
def opened(start_service: StartService) -> RunningService:
    """A service whose metrics are open."""
    return start_service(ServerKind.DIRECT, metrics_access="open")


async def test_metrics_that_are_open_are_open_by_any_address(opened: RunningService) -> None:
    assert await _status(opened, {"X-Forwarded-For": "192.0.2.1"}, host="10.0.0.7:8000") == 200


async def test_openmetrics_is_given_to_those_who_ask_for_it(service: RunningService) -> None:
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
        answer = await client.get("/metrics", headers=headers)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
        assert (await client.get("/metrics")).headers["content-type"].startswith("text/plain")


async def test_a_scope_that_is_none_is_refused(service: RunningService) -> None:
    answer = await exchange(service.port, request_text("GET", "/metrics?scope=world"))
    assert (answer.status, parse_json(answer.body)["code"]) == (400, "scope_unknown")


async def test_what_happens_is_told_and_nothing_names_an_object(service: RunningService) -> None:
    name = "a-name-that-nobody-may-read-in-metrics"
    wire = await WireSocket.open(service.port, f"/{name}")
    answer = await exchange(service.port, request_text("GET", "/metrics"))
    text = answer.body.decode()
    engine = "picows" if service.kind is ServerKind.DIRECT else "asgi"
    assert f'stateroom_sockets{{engine="{engine}"' in text
    assert 'stateroom_handshakes_total{outcome="accepted"' in text
    assert name not in text
    await wire.close()


async def test_every_metric_is_described_in_the_first_scrape_and_most_have_a_value(
    service: RunningService,
) -> None:
    later = {
        "room_aborts", "rejects", "alarms_postponed", "http_responses", "embedded_postgres",
        "objects", "stored_bytes",
    }  # fmt: skip
    answer = await exchange(service.port, request_text("GET", "/metrics"))
    lines = answer.body.decode().splitlines()
    described = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert described == {metric.full_name for metric in METRICS.values()}
    valued = {line.partition("{")[0].split()[0] for line in lines if not line.startswith("#")}
    wanted = {
        metric.full_name + ("_sum" if metric.kind is Kind.HISTOGRAM else "")
        for name, metric in METRICS.items()
        if name not in later
    }
    assert not wanted - valued


async def test_all_that_rules_and_dashboard_ask_for_is_in_a_scrape(service: RunningService) -> None:
    answer = await exchange(service.port, request_text("GET", "/metrics"))
    there = set()
    for family in text_string_to_metric_families(answer.body.decode()):
        counts = family.type == "counter"
        there.add(family.name + ("_total" if counts else ""))
        there |= {sample.name for sample in family.samples}
    expressions = [*(rule.expression for rule in rules()), *dashboard_expressions()]
    asked = set().union(*map(series_in, expressions))
    assert len(asked) > len(METRICS) / 2
    assert not asked - there
