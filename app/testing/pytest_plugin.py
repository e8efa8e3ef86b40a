"""The pytest plugin: a worker in memory for the tests of your own objects.

pytest loads it by itself wherever Stateroom is installed. Nothing of the engine is imported
before a test asks for the fixture, so it costs a project that has other tests nothing, and it
needs no plugin for asynchronous tests: the harness is entered in the test, with whatever runs it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .harness import ObjectHarness
    from .memory_database import MemoryDatabase


class HarnessMaker(Protocol):
    """What the fixture `object_harness` gives: call it to make a worker."""

    def __call__(
        self,
        classes: "Mapping[str, type[Any] | str]",
        *,
        options: "Mapping[str, Mapping[str, str]] | None" = None,
        database: "MemoryDatabase | None" = None,
    ) -> "ObjectHarness":
        """Make a worker, to be entered with `async with`.

        Args:
            classes: Namespace to class, or to its import string `module:Class`.
            options: Namespace to what stands behind the `?` of its mount, `durability` included.
            database: That of an earlier harness: what its objects stored is found again.

        Raises:
            NamespaceClassInvalid: A class cannot be imported or is no DurableObject.
            ConfigurationInvalid: An option has an impossible value.
        """
        ...


@pytest.fixture
def object_harness() -> HarnessMaker:
    """Makes a worker in memory: no database, no network, and time that moves by hand."""
    return _make


def _make(
    classes: Mapping[str, type[Any] | str],
    *,
    options: Mapping[str, Mapping[str, str]] | None = None,
    database: "MemoryDatabase | None" = None,
) -> "ObjectHarness":
    from ..cluster.namespaces import make_mount  # noqa: PLC0415 - see the module
    from .harness import ObjectHarness  # noqa: PLC0415 - see the module

    given = options or {}
    mounts = {name: make_mount(name, cls, given.get(name, {})) for name, cls in classes.items()}
    return ObjectHarness(mounts, database=database)
