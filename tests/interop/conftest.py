"""Fixtures of the interoperability tests: a server, a Node process full of clients, room names.

pytest tests/interop                       against our own server
pytest tests/interop --reference-server    TinyBase's, to prove the tests themselves
"""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from .client_host import ClientHost, running_host
from .node_toolchain import ensure_packages
from .server_process import ServerProcess, ServerRecipe, our_server, reference_server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reference-server",
        action="store_true",
        help="interop: run against TinyBase's createWsServer in place of our server",
    )


@pytest.fixture(scope="session")
def node_packages() -> None:
    ensure_packages()


@pytest.fixture(scope="session")
def server_recipe(pytestconfig: pytest.Config, node_packages: None) -> ServerRecipe:  # noqa: ARG001 - installs them first
    if pytestconfig.getoption("--reference-server", default=False):
        return reference_server()
    return our_server()


@pytest.fixture(scope="session")
def server(server_recipe: ServerRecipe) -> Iterator[ServerProcess]:
    """The server that ordinary tests share; rooms have unique names. Never kill it."""
    process = ServerProcess(server_recipe)
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.fixture
def mortal_server(server_recipe: ServerRecipe) -> Iterator[ServerProcess]:
    """A server of this test's own, to kill and restart."""
    process = ServerProcess(server_recipe)
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.fixture
async def host(node_packages: None) -> AsyncIterator[ClientHost]:  # noqa: ARG001 - installs them first
    async with running_host() as host:
        yield host


@pytest.fixture
def room() -> str:
    """A room path that no other test uses."""
    return f"room-{uuid.uuid4().hex}"
