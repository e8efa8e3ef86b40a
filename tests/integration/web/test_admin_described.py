"""What the admin plane says of itself is true: requests made from its served description.

Schemathesis reads `/admin/openapi.json` from a running service and makes up requests for every
operation, sensible ones and broken ones, with a token and without. No answer may be a fault of
the server, have a status, a media type or a body that the description does not know, or take
what it forbids.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .administrators import ADMIN_TOKEN, AS_ADMIN
from .conftest import StartService
from .running_service import ServerKind

schemathesis.serializer.alias("application/x-ndjson", "text/plain")

THERE: Final = {"object": "there", "table": "pets", "row": "fido", "value": "open", "key": "count"}
CONTENT: Final = {"tables": {"pets": {"fido": {"species": "dog"}}}, "values": {"open": True}}
OF_TINYBASE: Final = ("/content", "/history")
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDED: Final[dict[str, Any]] = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of request: how many, made how, and what is asked of the answers."""

    count: int
    there: bool = False
    mode: GenerationMode = GenerationMode.POSITIVE
    headers: dict[str, str] | None = None
    checks: list[Any] = field(default_factory=lambda: CHECKS)


KINDS: Final = [
    Kind(count=5, there=True, headers=AS_ADMIN),
    Kind(count=3, headers=AS_ADMIN),
    Kind(
        count=4,
        mode=GenerationMode.NEGATIVE,
        headers=AS_ADMIN,
        checks=[*CHECKS, negative_data_rejection],
    ),
    Kind(count=1),
]


@pytest.fixture(scope="module")
def server(start_service: StartService) -> Iterator[httpx.Client]:
    service = start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", headers=AS_ADMIN) as client:
        yield client


def make_there(server: httpx.Client) -> None:
    """Two objects that are there, whatever was done to them before."""
    for namespace in ("tinybase", "counter"):
        for action in ("undelete", "thaw"):
            server.post(f"/admin/v1/namespaces/{namespace}/objects/there/{action}")
    storage = "/admin/v1/namespaces/counter/objects/there/storage"
    assert server.delete(storage, params={"prefix": ""}).status_code in {200, 404}
    assert server.get("/objects/counter/there").status_code == 200
    path = "/admin/v1/namespaces/tinybase/objects/there/content"
    assert server.put(path, json=CONTENT).status_code in {200, 204}


@pytest.mark.timeout(400)
def test_requests_made_from_the_description_are_answered_as_it_says(server: httpx.Client) -> None:
    served = server.get("/admin/openapi.json", headers={"authorization": ""})
    assert (served.status_code, served.headers["content-type"]) == (200, "application/json")
    seen: Counter[tuple[str, int]] = Counter()
    wrong: list[str] = []
    with requests.Session() as session:
        for found in schemathesis.openapi.from_dict(served.json()).get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # of a schema that is valid
            make_there(server)
            for kind in KINDS:
                ask = asking(operation, kind, session, str(server.base_url), seen)
                try:
                    ask()
                except (FailureGroup, Failure, AssertionError) as error:
                    wrong.append(f"{operation.label}: {error}")
                    break
    assert not wrong, "\n\n".join(wrong)
    operations = {label for label, _ in seen}
    answered_well = {label for label, status in seen if status < 300}
    assert len(answered_well) > len(operations) / 2, sorted(operations - answered_well)
    assert {label for label, status in seen if status == 401} == operations


def asking(
    operation: Any, kind: Kind, session: Any, base_url: str, seen: Counter[tuple[str, int]]
) -> Callable[[], None]:
    """Something that makes requests of a kind until an answer is wrong, or there were enough."""
    namespace = "tinybase" if any(each in operation.path for each in OF_TINYBASE) else "counter"
    names = {each.name for each in operation.path_parameters} if kind.there else set()
    known = {"namespace": namespace, **THERE}
    given_names = {name: known[name] for name in names & known.keys()}
    strategy = operation.as_strategy(kind.mode, path_parameters=given_names or None)

    @settings(max_examples=kind.count, **BOUNDED)
    @given(case=strategy)
    def ask(case: Any) -> None:
        answer = case.call(base_url, session=session, headers=kind.headers, timeout=30)
        seen[operation.label, answer.status_code] += 1
        case.validate_response(answer, checks=kind.checks)

    return ask
