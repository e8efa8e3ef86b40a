"""Every operation of the admin plane, as nobody and as each role, on a running service.

Wrong tokens are another test's matter: after ten of them an address is not heard.
"""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.core.admin import Role
from app.web.admin.operation import Operation
from app.wiring.admin import described_operations

from .conftest import StartService
from .running_service import RunningService, ServerKind

ADMIN_TOKEN = "a-token-of-the-tests-of-roles"
PLACES = {
    "namespace": "tinybase",
    "object": "nobody%2Fhere",
    "worker": "00000000-0000-0000-0000-000000000000",
    "connection": "nobody",
}


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)


@pytest.fixture(scope="module")
def tokens(steered: RunningService) -> dict[Role, str]:
    """A token of each role, made by the one of the settings."""
    made: dict[Role, str] = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{steered.port}") as client:
        for role in Role:
            answer = client.post(
                "/admin/v1/tokens",
                headers={"authorization": f"Bearer {ADMIN_TOKEN}"},
                json={"name": f"a {role}", "role": role.value},
            )
            assert answer.status_code == 201, answer.text
            made[role] = answer.json()["token"]
    return made


@pytest_asyncio.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{steered.port}/admin/v1") as made:
        yield made


async def ask(client: httpx.AsyncClient, operation: Operation, token: str | None) -> httpx.Response:
    """A request that gets as far as it may: into the operation, or to what its fields lack."""
    path = operation.path
    for name in operation.parameters:
        path = path.replace(f"{{{name}}}", PLACES.get(name, "nothing"))
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await client.request(operation.method, path, headers=headers)


@pytest.mark.parametrize("operation", described_operations(), ids=lambda each: each.name)
async def test_an_operation_is_open_to_its_roles_and_to_nobody_else(
    client: httpx.AsyncClient, tokens: dict[Role, str], operation: Operation
) -> None:
    answer = await ask(client, operation, None)
    assert (answer.status_code, answer.json()["code"]) == (401, "admin_token_required")
    for role, token in tokens.items():
        answer = await ask(client, operation, token)
        if role.covers(operation.role):
            assert answer.status_code not in {401, 403, 405}, answer.text
            assert answer.status_code < 500, answer.text
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "role_too_low")
