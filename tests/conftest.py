"""Postgres for the tests: one server a test process, a clean database for each test.

The server is our own embedded one, started by our own supervisor at the first test that asks for
it. It has one migrated database, emptied before each test (10 ms; a clone of a template takes
100), and empty ones are made for the tests that want nothing in them. Durability against power
cuts is off: nothing here tests the disk.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from app.store.data_directory import DataDirectory
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.embedded import EmbeddedPostgres
from app.store.migration import migrate
from app.testing.logs import log_plainly
from bench.prometheus import MISSING as MISSING_PROMETHEUS
from bench.prometheus import find as find_prometheus
from bench.proxies import ALL as ALL_PROXIES
from tests.doubles import pgbouncer as pgbouncer_double
from tests.doubles import replicated_postgres
from tests.doubles.pgbouncer import PgBouncer
from tests.migrations import recorded

MIGRATED = "stateroom_tests"
UNSAFE_AND_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}

# What an earlier test left under way must not reach into this one.
_EMPTY = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and backend_type = 'client backend' and state <> 'idle';
truncate admin_token, admin_audit, admin_request;
truncate object, object_row, object_history, history_account, object_alarm, object_deletion,
  object_usage, object_listing, object_tag, import_row, namespace_setting, namespace_total, worker;
"""

# Fixtures, by the program of the system that each needs.
_TOOLS: Final[dict[str, tuple[Callable[[], object], str]]] = {
    "pgbouncer": (pgbouncer_double.find_pgbouncer, pgbouncer_double.MISSING),
    "faketime": (replicated_postgres.find_faketime, replicated_postgres.MISSING),
    **{proxy.program: (proxy.find, proxy.missing()) for proxy in ALL_PROXIES},
    "prometheus": (find_prometheus, MISSING_PROMETHEUS),
}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server with one migrated database."""

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
        "--record-statements",
        type=Path,
        default=None,
        metavar="FILE",
        help="add what the tests' Postgres runs to a file (tests/migrations/recorded.py)",
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


def pytest_runtest_setup() -> None:
    """Keep tracebacks in logs plain, also after a test that has set the logs back."""
    log_plainly()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose tool is not installed; CI installs all and leaves out none.

    `make test` has to work on a machine with Python and make alone.
    """
    left_out = [item for item in items if any(_needs(item, name) for name in _missing_tools())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what did not run."""
    for name, remedy in _missing_tools().items():
        terminalreporter.write_line(f"NOT RUN: the tests with {name}; {remedy}", red=True)


def _missing_tools() -> dict[str, str]:
    """Fixtures that need a program of the system which is not there, and how to get it."""
    if "CI" in os.environ:  # noqa: TID251 - CI says so in no other way
        return {}
    return {name: remedy for name, (found, remedy) in _TOOLS.items() if found() is None}


def _needs(item: pytest.Item, tool: str) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return tool in getattr(item, "fixturenames", ()) or tool in parameters.values()


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
    recording: Path | None = pytestconfig.getoption("--record-statements")
    with DataDirectory(open_folder / "shared") as directory:
        settings = UNSAFE_AND_FAST | (dict(recorded.SETTINGS) if recording else {})
        postgres = EmbeddedPostgres(directory, bin_dir=bin_dir, settings=settings)
        try:
            server = PostgresServer(asyncio.run(postgres.start()))
            asyncio.run(_make_migrated(server))
            yield server
        finally:
            asyncio.run(postgres.stop())
            if recording:
                recorded.write(recorded.found(open_folder / "shared"), recording)


@pytest.fixture(scope="session")
def stateroom_postgres(postgres_server: PostgresServer) -> str:
    """The plugin makes its databases on the same server."""
    return postgres_server.url


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: PostgresServer, open_folder: Path) -> Iterator[PgBouncer]:
    """A pooler in transaction mode before the server of this test process."""
    pooler = PgBouncer(postgres_server.url, open_folder / "pgbouncer")
    pooler.start()
    yield pooler
    pooler.stop()


@pytest.fixture(scope="session")
def haproxy() -> str:
    """The proxy's binary."""
    return _program_of("haproxy")


@pytest.fixture(scope="session")
def nginx() -> str:
    """The proxy's binary."""
    return _program_of("nginx")


@pytest.fixture(scope="session")
def caddy() -> str:
    """The proxy's binary."""
    return _program_of("caddy")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The binary of Prometheus; promtool lies beside it."""
    return _program_of("prometheus")


@pytest.fixture(scope="session")
def faketime() -> Path:
    """The library that gives a process a wrong clock."""
    library = replicated_postgres.find_faketime()
    if library is None:
        pytest.fail(replicated_postgres.MISSING)
    return library


@pytest_asyncio.fixture
async def empty_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The URL of a database of the test's own with nothing in it."""
    name = f"test_{next(_numbers)}"
    await _run(postgres_server.url, f"create database {name} template template0")
    yield postgres_server.database_url(name)
    await _run(postgres_server.url, f"drop database {name} with (force)")


@pytest_asyncio.fixture
async def database_url(postgres_server: PostgresServer) -> str:
    """The URL of a migrated database without objects and workers."""
    url = postgres_server.database_url(MIGRATED)
    await _run(url, _EMPTY)
    return url


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of the test's own, opened."""
    opened = await Database.open(ConnectTarget.from_url(database_url))
    try:
        yield opened
    finally:
        await opened.close()


def _program_of(name: str) -> str:
    found, remedy = _TOOLS[name]
    program = found()
    if program is None:
        pytest.fail(remedy)
    return str(program)


async def _make_migrated(server: PostgresServer) -> None:
    await _run(server.url, f"create database {MIGRATED}")
    await migrate(server.database_url(MIGRATED))


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
