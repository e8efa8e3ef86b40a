"""Fixtures of the tests with real server processes: a folder each, numbers for clients."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from tests.cluster.checker import History
from tests.cluster.clients import Fleet
from tests.cluster.server import ServerProcess

SHORT_LEASE = {"STATEROOM_LEASE_SECONDS": "2", "STATEROOM_RENEW_SECONDS": "0.4"}
"""For tests that wait until a lease has run out."""
LONG_LEASE = {"STATEROOM_LEASE_SECONDS": "20"}
"""For tests that no lease has a part in: a slow machine must not end one."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder of the test's own, which Postgres's user may pass through."""
    made = Path(tempfile.mkdtemp(prefix="stateroom-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture
async def postgres(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A migrated Postgres of the test's own, outside any server, as durable as in real life."""
    with DataDirectory(folder / "database") as directory:
        async with EmbeddedPostgres(directory) as server:
            await migrate(server.url)
            yield server


class Stage:
    """What a test works with: one history, servers, and fleets of clients for them."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.history = History()
        self.rooms: list[str] = []
        """Every room that a fleet was sent to."""
        self._folder = folder
        self._stack = stack
        self._numbers: Callable[[], int] = itertools.count(1).__next__
        self._servers: list[ServerProcess] = []

    def server(self, *, database_url: str | None = None, **variables: str) -> ServerProcess:
        """A server of this test, not yet started; closed at the end."""
        place = self._folder / f"server-{len(self._servers)}"
        place.mkdir(mode=0o711)
        made = ServerProcess(place, database_url=database_url, **variables)
        self._servers.append(made)
        self._stack.push_async_callback(made.close)
        return made

    def new_number(self) -> int:
        """A number that no other client of the history has."""
        return self._numbers()

    def new_rooms(self, count: int) -> list[str]:
        """Names that were not used before."""
        names = [f"room-{self._numbers()}" for _ in range(count)]
        self.rooms += names
        return names

    def fleet(self, server: ServerProcess) -> Fleet:
        return Fleet(server.url, self.history, self._numbers)

    def faults(self) -> list[str]:
        """What any of the servers has logged that must never happen."""
        return [fault for server in self._servers for fault in server.faults()]


@pytest_asyncio.fixture
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield Stage(folder, stack)
