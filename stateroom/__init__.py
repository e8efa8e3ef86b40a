"""Durable Objects for Python teams: the public import name.

Authors write a subclass of `DurableObject` and mount it; everything they need is here. What is
not handed on by `stateroom`, `stateroom.tinybase` or the pytest plugin is no public interface.
"""

from app.sdk import (
    AlarmInfo,
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

__all__ = [
    "AlarmInfo",
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
]
