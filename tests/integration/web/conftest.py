"""Services behind each kind of server, on the Postgres of this test process."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.settings import load_settings
from app.store.migration import migrate
from tests.conftest import PostgresServer

from .objects import CLASSES
from .running_service import RunningService, ServerKind
from .wire_socket import drop_open_sockets

StartService = Callable[..., RunningService]

_numbers = itertools.count(1)


LONG_LEASE_SECONDS = 20.0
"""A busy machine must not end a lease that a test is not about."""


@contextmanager
def _services(server: PostgresServer, folder: Path) -> Iterator[StartService]:
    with ExitStack() as stack:

        def start(
            kind: ServerKind, classes: Mapping[str, type[Any]] = CLASSES, **settings: Any
        ) -> RunningService:
            number = next(_numbers)
            url = settings.pop("database_url", None) or asyncio.run(_database(server, number))
            chosen = load_settings(
                database_url=url,
                data_dir=folder / f"web-{number}",
                routes="presence/**=presence,**=tinybase",
                namespaces="presence=stateroom.tinybase:TinyBaseRoom?durability=none",
                **({"lease_seconds": LONG_LEASE_SECONDS} | settings),
            )
            return stack.enter_context(RunningService(chosen, classes, kind))

        yield start


@pytest.fixture(scope="module")
def start_service(postgres_server: PostgresServer, open_folder: Path) -> Iterator[StartService]:
    """Starts services, each on a database of its own; they are stopped with their module.

    They run in threads of this process, and what still ran would slow down what comes after.
    """
    with _services(postgres_server, open_folder) as start:
        yield start


@pytest.fixture(scope="session")
def start_lasting_service(
    postgres_server: PostgresServer, open_folder: Path
) -> Iterator[StartService]:
    """The same for services that many modules use; they are stopped at the end."""
    with _services(postgres_server, open_folder) as start:
        yield start


@pytest.fixture(scope="session", params=list(ServerKind), ids=str)
def kind(request: pytest.FixtureRequest) -> ServerKind:
    """Each kind of server in its turn."""
    found: ServerKind = request.param
    return found


@pytest.fixture(scope="session")
def service(start_lasting_service: StartService, kind: ServerKind) -> RunningService:
    """An open service with small bounds."""
    return start_lasting_service(
        kind, max_frame_bytes=1 << 20, outbox_bytes=1 << 20, mailbox_events=50
    )


@pytest.fixture(scope="session")
def port(service: RunningService) -> int:
    """Where that service listens."""
    return service.port


@pytest_asyncio.fixture(autouse=True)
async def no_socket_is_left() -> AsyncIterator[None]:
    yield
    await drop_open_sockets()


@pytest.fixture
def name() -> str:
    """An object that no other test uses."""
    return f"object-{uuid.uuid4().hex}"


async def _database(server: PostgresServer, number: int) -> str:
    name = f"web_{number}"
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"create database {name} template template0")
    finally:
        await connection.close()
    url = server.database_url(name)
    await migrate(url)
    return url
