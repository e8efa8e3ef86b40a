"""The pytest plugin for people who test their own objects; loaded by pytest by itself."""

from typing import TYPE_CHECKING, Any

from app.testing.pytest_plugin import (
    HarnessMaker,
    object_harness,
    pytest_addoption,
    stateroom_databases,
    stateroom_postgres,
    stateroom_store,
)

if TYPE_CHECKING:
    from app.testing.driving import Harness
    from app.testing.harness import ObjectHarness
    from app.testing.sockets import MemorySocket

__all__ = [
    "Harness",
    "HarnessMaker",
    "MemorySocket",
    "ObjectHarness",
    "object_harness",
    "pytest_addoption",
    "stateroom_databases",
    "stateroom_postgres",
    "stateroom_store",
]


def __getattr__(name: str) -> Any:
    """Hand on the classes on demand: pytest loads this module in tests of anything else too."""
    if name == "Harness":
        from app.testing.driving import Harness  # noqa: PLC0415 - see above

        return Harness
    if name == "ObjectHarness":
        from app.testing.harness import ObjectHarness  # noqa: PLC0415 - see above

        return ObjectHarness
    if name == "MemorySocket":
        from app.testing.sockets import MemorySocket  # noqa: PLC0415 - see above

        return MemorySocket
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
