"""The pytest plugin: a worker for the tests of your own objects, in memory or on a real Postgres.

pytest loads it by itself wherever Stateroom is installed. Nothing of the engine is imported
before a test asks for the fixture, so it costs a project that has other tests nothing, and it
needs no plugin for asynchronous tests: the harness is entered in the test, with whatever runs it.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

if TYPE_CHECKING:
    from .driving import Harness
    from .postgres import PostgresDatabase

STORES: Final = ("memory", "postgres")

_UNSAFE_AND_FAST: Final = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


class HarnessMaker(Protocol):
    """What the fixture `object_harness` gives: call it to make a worker."""

    def __call__(
        self,
        classes: "Mapping[str, type[Any] | str]",
        *,
        options: "Mapping[str, Mapping[str, str]] | None" = None,
        database: "Any | None" = None,
        node: str = "node",
    ) -> "Harness":
        """Make a worker, to be entered with `async with`.

        Args:
            classes: Namespace to class, or to its import string `module:Class`.
            options: Namespace to what stands behind the `?` of its mount, `durability` included.
            database: That of another harness: what its objects have stored is found again. While
                that one is entered, this is a second worker.
            node: Which machine the worker stands on; no two workers stand on one.

        Raises:
            NamespaceClassInvalid: A class cannot be imported or is no DurableObject.
            ConfigurationInvalid: An option has an impossible value.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where objects under test store."""
    group = parser.getgroup("stateroom")
    group.addoption(
        "--stateroom-store",
        choices=STORES,
        default=STORES[0],
        help="where objects under test store: in memory, or in a real Postgres",
    )
    group.addoption(
        "--stateroom-postgres",
        metavar="URL",
        default=None,
        help="the server to make test databases on; without it an embedded Postgres is started",
    )


@pytest.fixture
def stateroom_store(pytestconfig: pytest.Config) -> str:
    """`memory` or `postgres`: the option, unless a test parametrizes this name."""
    return str(pytestconfig.getoption("--stateroom-store"))


@pytest.fixture(scope="session")
def stateroom_postgres(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of a server that test databases are made on; started if none is given."""
    given: str | None = pytestconfig.getoption("--stateroom-postgres")
    if given is not None:
        yield given
        return
    from ..store.data_directory import DataDirectory  # noqa: PLC0415 - see the module
    from ..store.embedded import EmbeddedPostgres  # noqa: PLC0415 - see the module

    folder = Path(tempfile.mkdtemp(prefix="stateroom-"))
    folder.chmod(0o711)  # a server that drops its privileges must get through
    try:
        with DataDirectory(folder / "data") as directory:
            postgres = EmbeddedPostgres(directory, settings=_UNSAFE_AND_FAST)
            try:
                yield asyncio.run(postgres.start())
            finally:
                asyncio.run(postgres.stop())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stateroom_databases() -> Iterator[list["PostgresDatabase"]]:
    """Test databases that nobody uses at the moment; dropped at the end."""
    free: list[PostgresDatabase] = []
    yield free
    for database in free:
        database.close()


@pytest.fixture
def object_harness(stateroom_store: str, request: pytest.FixtureRequest) -> Iterator[HarnessMaker]:
    """Makes a worker whose time moves by hand: no network, and no database unless asked for."""
    if stateroom_store == STORES[0]:
        yield _in_memory
        return
    from .postgres import PostgresDatabase  # noqa: PLC0415 - see the module

    # The databases first: what is asked for first is ended last.
    server_url: str = request.getfixturevalue("stateroom_postgres")
    free: list[PostgresDatabase] = request.getfixturevalue("stateroom_databases")
    taken: list[PostgresDatabase] = []

    def take() -> PostgresDatabase:
        taken.append(free.pop() if free else PostgresDatabase(server_url))
        return taken[-1]

    yield _on_postgres(take)
    for database in taken:
        database.empty()
        free.append(database)


def _on_postgres(take: "Callable[[], PostgresDatabase]") -> HarnessMaker:
    def make(
        classes: Mapping[str, type[Any] | str],
        *,
        options: Mapping[str, Mapping[str, str]] | None = None,
        database: "Any | None" = None,
        node: str = "node",
    ) -> "Harness":
        from .postgres import PostgresHarness  # noqa: PLC0415 - see the module

        return PostgresHarness(_mounts(classes, options), database=database or take(), node=node)

    return make


def _in_memory(
    classes: Mapping[str, type[Any] | str],
    *,
    options: Mapping[str, Mapping[str, str]] | None = None,
    database: "Any | None" = None,
    node: str = "node",
) -> "Harness":
    from .harness import ObjectHarness  # noqa: PLC0415 - see the module

    return ObjectHarness(_mounts(classes, options), database=database, node=node)


def _mounts(
    classes: Mapping[str, type[Any] | str], options: Mapping[str, Mapping[str, str]] | None
) -> dict[str, Any]:
    from ..cluster.namespaces import make_mount  # noqa: PLC0415 - see the module

    given = options or {}
    return {name: make_mount(name, cls, given.get(name, {})) for name, cls in classes.items()}
