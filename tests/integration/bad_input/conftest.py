"""An attacked server, shared by the tests that do not kill it.

pytest tests/integration/bad_input --heavy       as much through real sockets as otherwise in memory
"""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integration.web.wire_socket import drop_open_sockets

from .attacked_server import AttackedServer

RELAY = "stateroom.tinybase:TinyBaseRoom"
NAMESPACES = {
    "STATEROOM_NAMESPACES": (
        f"relay={RELAY}?sync=relay,ephemeral={RELAY}?durability=none,"
        f"relaxed={RELAY}?durability=relaxed"
    ),
    "STATEROOM_ROUTES": ("relay/**=relay,ephemeral/**=ephemeral,relaxed/**=relaxed,**=tinybase"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--heavy", action="store_true", help="bad_input: five times as much through real sockets"
    )


@pytest.fixture(scope="session")
def heaviness(pytestconfig: pytest.Config) -> int:
    """How many times as much as usual."""
    return 5 if pytestconfig.getoption("--heavy", default=False) else 1


@pytest.fixture(scope="session")
def shared_server() -> Iterator[AttackedServer]:
    server = AttackedServer(NAMESPACES)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def server(shared_server: AttackedServer) -> Iterator[AttackedServer]:
    """The shared server; after each test it must have stayed quiet."""
    yield shared_server
    shared_server.assert_quiet()


@pytest.fixture
def mortal_server() -> Iterator[AttackedServer]:
    """A server of this test's own, to kill."""
    server = AttackedServer(NAMESPACES)
    try:
        server.start()
        yield server
        server.assert_quiet()
    finally:
        server.close()


@pytest_asyncio.fixture(autouse=True)
async def no_socket_is_left() -> AsyncIterator[None]:
    yield
    await drop_open_sockets()


@pytest.fixture
def room() -> str:
    """A room that no other test uses."""
    return f"room-{uuid.uuid4().hex}"
