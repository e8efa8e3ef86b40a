"""Postgres for the tests: one server a test process, one database a test.

The server is our own embedded one, started by our own supervisor at the first test that asks for
it. A migrated template database is made once and cloned for each test, which takes some tens of
milliseconds. Durability against power cuts is off: nothing here tests the disk.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from app.store.data_directory import DataDirectory
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate

TEMPLATE = "stateroom_template"
UNSAFE_AND_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server with a migrated template database."""

    url: str

    def database_url(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres-bin",
        type=Path,
        default=None,
        help="folder of the Postgres to test with, in place of the one in the wheel",
    )
    parser.addoption(
        "--mutant",
        default=None,
        help="switch on a deliberate fault of tests/mutants; the suite must then be red",
    )


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--mutant")
    if name is not None:
        from tests.mutants.registry import switch_on  # noqa: PLC0415 - imports what it breaks

        switch_on(name)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A short folder that other users may pass through, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="stateroom-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(open_folder: Path, pytestconfig: pytest.Config) -> Iterator[PostgresServer]:
    """The server of this test process."""
    bin_dir: Path | None = pytestconfig.getoption("--postgres-bin")
    with DataDirectory(open_folder / "shared") as directory:
        postgres = EmbeddedPostgres(directory, bin_dir=bin_dir, settings=UNSAFE_AND_FAST)
        try:
            server = PostgresServer(asyncio.run(postgres.start()))
            asyncio.run(_make_template(server))
            yield server
        finally:
            asyncio.run(postgres.stop())


@pytest_asyncio.fixture
async def empty_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The URL of an empty database of the test's own."""
    async for url in _new_database(postgres_server, template="template0"):
        yield url


@pytest_asyncio.fixture
async def database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own."""
    async for url in _new_database(postgres_server, template=TEMPLATE):
        yield url


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of the test's own, opened."""
    opened = await Database.open(ConnectTarget.from_url(database_url))
    try:
        yield opened
    finally:
        await opened.close()


async def _make_template(server: PostgresServer) -> None:
    await _run(server.url, f"create database {TEMPLATE}")
    await migrate(server.database_url(TEMPLATE))


async def _new_database(server: PostgresServer, *, template: str) -> AsyncIterator[str]:
    name = f"test_{next(_numbers)}"
    await _run(server.url, f"create database {name} template {template}")
    yield server.database_url(name)
    await _run(server.url, f"drop database {name} with (force)")


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
