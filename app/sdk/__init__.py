"""What authors of objects import; handed on as the public package `stateroom`."""

from ..core.clock import Timer
from ..core.errors import (
    CallDeadlock,
    CallRefused,
    CallTimedOut,
    ConnectionClosed,
    IdInvalid,
    LinkBroken,
    MethodUnknown,
    NamespaceUnknown,
    ObjectFault,
    Overloaded,
    OwnedElsewhere,
    ProtocolViolated,
    QueuedTooLong,
    QueueFull,
    QueueTooLarge,
    RoomAborted,
    SectionTimedOut,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    TooManyAlarms,
    TooManyRequests,
    TooManyWrites,
    UnitTooLarge,
    Unsupported,
)
from ..core.ids import ObjectId
from ..core.values import AlarmFailure, Receipt
from .alarms import AlarmEntry, AlarmInfo, DeadAlarm
from .connection import Connection
from .context import Context
from .durable_object import DurableObject
from .messages import Request, Response
from .namespace import Namespace, Stub, TypedNamespace, as_stub
from .storage import Storage, Transaction

__all__ = [
    "AlarmEntry",
    "AlarmFailure",
    "AlarmInfo",
    "CallDeadlock",
    "CallRefused",
    "CallTimedOut",
    "Connection",
    "ConnectionClosed",
    "Context",
    "DeadAlarm",
    "DurableObject",
    "IdInvalid",
    "LinkBroken",
    "MethodUnknown",
    "Namespace",
    "NamespaceUnknown",
    "ObjectFault",
    "ObjectId",
    "Overloaded",
    "OwnedElsewhere",
    "ProtocolViolated",
    "QueueFull",
    "QueueTooLarge",
    "QueuedTooLong",
    "Receipt",
    "Request",
    "Response",
    "RoomAborted",
    "SectionTimedOut",
    "StateroomError",
    "Storage",
    "StorageRefused",
    "StoreUnavailable",
    "Stub",
    "Timer",
    "TooManyAlarms",
    "TooManyRequests",
    "TooManyWrites",
    "Transaction",
    "TypedNamespace",
    "UnitTooLarge",
    "Unsupported",
    "as_stub",
]
