"""`/livez` and `/readyz`, and what clients see while the database is away."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.core.codec import parse_json
from app.settings import load_settings
from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate

from .conftest import StartService
from .objects import CLASSES
from .patience import until
from .running_service import RunningService, ServerKind
from .wire_socket import WireSocket, exchange, request_text

QUESTION = 'S\n["q",1,""]'


async def probe(port: int, target: str) -> tuple[int, Any]:
    answer = await exchange(port, request_text("GET", target))
    return answer.status, parse_json(answer.body)


async def test_a_service_that_works_is_alive_and_ready(port: int) -> None:
    assert await probe(port, "/livez") == (200, {"status": "ok"})
    ready = {"database": "ok", "lease": "ok", "worker": "ok", "rooms": "ok"}
    assert await probe(port, "/readyz") == (200, {"status": "ready", "checks": ready})
    for target in ("/livez", "/readyz"):
        answer = await exchange(port, request_text("HEAD", target), bodiless=True)
        assert answer.status == 200


@pytest.mark.parametrize("target", ["/livez", "/readyz"])
async def test_host_and_origin_are_checked_as_everywhere(port: int, target: str) -> None:
    rebound = await exchange(port, request_text("GET", target, host="evil.example"))
    assert (rebound.status, parse_json(rebound.body)["code"]) == (421, "host_not_allowed")
    for host in ("127.0.0.1", f"localhost:{port}", "10.244.0.7:8000", "[fd00::7]:8000"):
        headers = [("Origin", "https://evil.example")]
        foreign = await exchange(port, request_text("GET", target, host=host, headers=headers))
        assert (foreign.status, parse_json(foreign.body)["code"]) == (403, "origin_not_allowed")
    own = [("Origin", f"http://localhost:{port}")]
    assert (await exchange(port, request_text("GET", target, headers=own))).status == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.244.0.7:8000", "[fd00::7]:8000", "[::1]"]
)
async def test_probes_that_name_an_address_are_answered(port: int, host: str) -> None:
    for target in ("/livez", "/readyz"):
        answer = await exchange(port, request_text("GET", target, host=host))
        assert answer.status == 200


async def test_a_probe_of_http_1_0_without_a_host_is_answered(port: int) -> None:
    for target in ("/livez", "/readyz"):
        answer = await exchange(port, f"GET {target} HTTP/1.0\r\n\r\n".encode())
        assert answer.status == 200


@pytest.fixture(scope="module")
def drained_service(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT)


async def test_a_draining_worker_is_alive_and_not_ready(drained_service: RunningService) -> None:
    service = drained_service
    mover = service.service.mover
    assert mover is not None
    await service.do(mover.drain_worker)
    assert (await probe(service.port, "/livez"))[0] == 200
    status, body = await probe(service.port, "/readyz")
    assert (status, body["checks"]["worker"]) == (503, "draining")
    answer = await exchange(service.port, request_text("GET", "/objects/counter/x"))
    assert (answer.status, parse_json(answer.body)["code"]) == (503, "worker_leaving")
    await service.do(mover.undrain)
    assert (await probe(service.port, "/readyz"))[0] == 200
    answer = await exchange(service.port, request_text("GET", "/objects/counter/x"))
    assert answer.status == 200


@pytest_asyncio.fixture
async def postgres(open_folder: Path, kind: ServerKind) -> AsyncIterator[EmbeddedPostgres]:
    """A server of the test's own, to stop and start."""
    with DataDirectory(open_folder / f"health-{kind}") as directory:
        async with EmbeddedPostgres(directory) as server:
            await migrate(server.url)
            yield server


@pytest.fixture
def own_service(
    postgres: EmbeddedPostgres, open_folder: Path, kind: ServerKind
) -> "RunningService":
    settings = load_settings(
        database_url=postgres.url,
        data_dir=open_folder / f"health-service-{kind}",
        lease_seconds=1.5,
        renew_seconds=0.5,
    )
    return RunningService(settings, CLASSES, kind)


async def test_without_its_database_it_is_alive_but_not_ready_and_comes_back(
    postgres: EmbeddedPostgres, own_service: RunningService
) -> None:
    with own_service as service:
        port = service.port
        change = '\n["d",3,[[{"t":[{"r":[{"c":[1,"Nn1JUF-----7JQY8"]}]}]}],[{}],1]]'
        wire = await WireSocket.open(port, "/room")
        await wire.say(change, QUESTION)
        receipt = await wire.read_message()
        await postgres.stop()
        assert (await probe(port, "/livez"))[0] == 200
        status, body = await probe(port, "/readyz")
        assert (status, body["status"]) == (503, "not ready")
        assert body["checks"]["database"] == "unreachable"
        code, reason = await wire.closed()
        assert (code, reason) in {(1013, "lease_lost"), (1013, "database_unavailable")}
        status, body = await probe(port, "/readyz")
        assert (status, body["checks"]["lease"]) == (503, "ended")
        refused = await WireSocket.open(port, "/room")
        assert refused.answer is not None
        assert (refused.status, refused.answer.headers.get("retry-after")) == (503, "1")
        answer = await exchange(port, request_text("GET", "/objects/counter/x"))
        assert answer.status == 503

        async def ready() -> bool:
            return (await probe(port, "/readyz"))[0] == 200

        await postgres.start()
        await until(ready)
        back = await WireSocket.open(port, "/room")
        await back.say(QUESTION)
        assert await back.read_message() == receipt
        answer = await exchange(port, request_text("GET", "/objects/counter/x"))
        assert answer.status == 200
        assert (await probe(port, "/livez"))[0] == 200
