"""What authors of objects import; handed on as the public package `stateroom`."""

from ..core.clock import Timer
from ..core.errors import (
    IdInvalid,
    ObjectFault,
    Overloaded,
    OwnedElsewhere,
    RoomAborted,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    Unsupported,
)
from ..core.ids import ObjectId
from ..core.values import Receipt
from .alarms import AlarmInfo
from .connection import Connection
from .context import Context
from .durable_object import DurableObject
from .messages import Request, Response
from .storage import Storage, Transaction

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
