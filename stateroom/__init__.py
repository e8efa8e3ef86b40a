"""Durable Objects for Python teams: the public import name.

Authors write a subclass of `DurableObject` and mount it; everything they need is here. What is
not handed on by `stateroom`, `stateroom.tinybase` or the pytest plugin is no public interface.
"""

from typing import TYPE_CHECKING, Any

from app.sdk import (
    Connection,
    Context,
    DurableObject,
    IdInvalid,
    ObjectFault,
    ObjectId,
    Overloaded,
    OwnedElsewhere,
    Receipt,
    Request,
    Response,
    RoomAborted,
    StateroomError,
    Storage,
    StorageRefused,
    StoreUnavailable,
    Timer,
    Transaction,
    Unsupported,
)

if TYPE_CHECKING:
    from app.main import create_app
    from app.settings import load_settings

__all__ = [
    "Connection",
    "Context",
    "DurableObject",
    "IdInvalid",
    "ObjectFault",
    "ObjectId",
    "Overloaded",
    "OwnedElsewhere",
    "Receipt",
    "Request",
    "Response",
    "RoomAborted",
    "StateroomError",
    "Storage",
    "StorageRefused",
    "StoreUnavailable",
    "Timer",
    "Transaction",
    "Unsupported",
    "create_app",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    """Hand on what runs a server on demand: a class that is only written must not import one."""
    if name == "create_app":
        from app.main import create_app  # noqa: PLC0415 - see above

        return create_app
    if name == "load_settings":
        from app.settings import load_settings  # noqa: PLC0415 - see above

        return load_settings
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
