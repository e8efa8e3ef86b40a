"""Every error of Stateroom, in one tree.

Each class has a stable `code` (published in docs/reference/errors.md), a docstring that is its
default text, and a `remedy`: what the person who reads it can do. The three flags follow the
platform we mirror (reference: durable-objects, section 5): `retryable` (a transient fault, try
again with back-off), `overloaded` (do not retry at once) and `reset` (the object was thrown
away under the call).

    StateroomError
    ├── StartupError                 the service cannot start
    │   ├── ConfigurationInvalid, NamespaceUnknown, NamespaceClassInvalid, PortTaken
    │   ├── DatabaseUnreachable, DatabaseRefused, MigrationMissing, WorkerSlotTaken
    │   └── DataDirectoryInUse, EmbeddedPostgresFailed
    ├── StoreUnavailable             Postgres is away
    ├── OwnershipLost                the fence refused a commit
    ├── OwnedElsewhere               another worker holds the object
    ├── LeaseLost                    this worker's lease has ended
    ├── LinkBroken                   the link to another worker is gone
    ├── LinkGarbled                  the other end of a link makes no sense
    ├── LinkRefused                  the other end of a link proved nothing
    ├── WorkerLeaving                this worker gives its objects up
    ├── WorkerNotLive                no such worker takes objects
    ├── RoomAborted                  the live object was thrown away
    ├── ObjectFault                  the author's code raised
    ├── EventTimedOut                the author's code took too long
    ├── CallTimedOut                 a called object did not answer in time
    ├── CallDeadlock                 a call would wait for its own caller
    ├── CallRefused                  an argument or result that cannot travel
    ├── MethodUnknown                no such method can be called
    ├── Overloaded                   a bound was reached
    ├── TooManyAlarms                an object has as many alarms as it may
    │   ├── SectionTimedOut          a critical section took too long
    │   ├── QueueFull                too many events wait for the object
    │   ├── QueueTooLarge            too many bytes wait for the object
    │   ├── QueuedTooLong            an event waited too long for its turn
    │   ├── TooManyRequests          too many requests came in ten seconds
    │   ├── QuotaExceeded            the object has cost more than it may
    │   ├── RateLimited              a client asks too often
    │   ├── TooManyStreams           too many exports and imports are under way
    │   ├── UnitTooLarge             an event wrote more than it may
    │   └── TooManyWrites            too much waits to be committed
    ├── ConnectionClosed             a send on a connection that its object closed
    ├── ProtocolViolated             a client broke the WebSocket protocol
    ├── BodyBroken                   the body of a request did not come to its end
    │   ├── BodyTooLarge
    │   └── BodyTooSlow
    ├── ObjectUnknown                there is no such object
    ├── ObjectFrozen                 the object takes no changes
    ├── ObjectDeleted                the object waits to be purged
    ├── BookmarkUnknown              the object was never in that state
    ├── BookmarkExpired              its state of then is kept no longer
    ├── Unsupported                  the namespace's settings exclude the call
    ├── BackupUnreadable, BackupDamaged, BackupTruncated
    ├── ObjectNotEmpty, ObjectIsLive, IdForeign     what a backup cannot be put into
    ├── AccessRefused                a client may not come in
    │   ├── CredentialRequired, CredentialInvalid, CredentialExpired
    │   └── RoomForbidden            its credential does not open the room
    ├── JudgeUnavailable             whether it may cannot be decided now
    ├── IdInvalid                    not an id of this namespace
    └── StorageRefused               a key or value that cannot be stored
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from .access_errors import (
    AccessRefused,
    CredentialExpired,
    CredentialInvalid,
    CredentialRequired,
    JudgeUnavailable,
    RoomForbidden,
)
from .backup_errors import (
    BackupDamaged,
    BackupTruncated,
    BackupUnreadable,
    IdForeign,
    ObjectIsLive,
    ObjectNotEmpty,
)
from .error_root import StateroomError, is_ours
from .history_errors import BookmarkExpired, BookmarkUnknown
from .object_errors import ObjectDeleted, ObjectFrozen, ObjectUnknown
from .overload_errors import (
    Overloaded,
    QueuedTooLong,
    QueueFull,
    QueueTooLarge,
    QuotaExceeded,
    RateLimited,
    SectionTimedOut,
    TooManyRequests,
    TooManyStreams,
    TooManyWrites,
    UnitTooLarge,
)
from .startup_errors import (
    ConfigurationInvalid,
    DatabaseRefused,
    DatabaseUnreachable,
    DataDirectoryInUse,
    EmbeddedPostgresFailed,
    MigrationMissing,
    NamespaceClassInvalid,
    NamespaceUnknown,
    PortTaken,
    StartupError,
    WorkerSlotTaken,
)

__all__ = [
    "AccessRefused",
    "BackupDamaged",
    "BackupTruncated",
    "BackupUnreadable",
    "BookmarkExpired",
    "BookmarkUnknown",
    "ConfigurationInvalid",
    "CredentialExpired",
    "CredentialInvalid",
    "CredentialRequired",
    "DataDirectoryInUse",
    "DatabaseRefused",
    "DatabaseUnreachable",
    "EmbeddedPostgresFailed",
    "IdForeign",
    "JudgeUnavailable",
    "MigrationMissing",
    "NamespaceClassInvalid",
    "NamespaceUnknown",
    "ObjectDeleted",
    "ObjectFrozen",
    "ObjectIsLive",
    "ObjectNotEmpty",
    "ObjectUnknown",
    "Overloaded",
    "PortTaken",
    "QueueFull",
    "QueueTooLarge",
    "QueuedTooLong",
    "QuotaExceeded",
    "RateLimited",
    "RoomForbidden",
    "SectionTimedOut",
    "StartupError",
    "StateroomError",
    "TooManyRequests",
    "TooManyStreams",
    "TooManyWrites",
    "UnitTooLarge",
    "WorkerSlotTaken",
    "is_ours",
]
"""What is handed on from the files of the root, of starts, bounds, whole objects and backups."""


class StoreUnavailable(StateroomError):
    """The database is away at the moment."""

    code = "database_unavailable"
    default_remedy = "Try again; /readyz says when the database is back."
    retryable = True


class OwnershipLost(StateroomError):
    """Another worker has taken this object over."""

    code = "ownership_lost"
    retryable = True
    reset = True


class OwnedElsewhere(StateroomError):
    """Another worker holds this object."""

    code = "owned_elsewhere"
    default_remedy = "Try again in a moment."
    retryable = True

    def __init__(
        self,
        detail: str | None = None,
        *,
        remedy: str | None = None,
        worker_id: UUID | None = None,
        address: str = "",
    ) -> None:
        super().__init__(detail, remedy=remedy)
        self.worker_id = worker_id
        """Who holds it, as far as is known."""
        self.address = address
        """Where that worker can be reached by others; empty when it cannot."""


class LeaseLost(StateroomError):
    """This worker's lease has ended, so it may not speak for its objects."""

    code = "lease_lost"
    default_remedy = "Try again in a moment."
    retryable = True
    reset = True


class LinkBroken(StateroomError):
    """The link to the worker that holds the object is gone."""

    code = "link_broken"
    default_remedy = "Try again in a moment."
    retryable = True
    reset = True


class LinkGarbled(StateroomError):
    """The other end of a link does not speak its protocol."""

    code = "link_garbled"
    default_remedy = "Run the same version on all workers."
    retryable = True


class LinkRefused(StateroomError):
    """The other end of a link could not prove that it belongs to this cluster."""

    code = "link_refused"
    default_remedy = "Check that both workers serve the same database."
    retryable = True


class WorkerLeaving(StateroomError):
    """This worker is about to stop and takes no new work."""

    code = "worker_leaving"
    default_remedy = "Try again; another worker, or this one after its restart, will answer."
    retryable = True


class WorkerNotLive(StateroomError):
    """No worker of that id takes objects at the moment."""

    code = "worker_not_live"
    default_remedy = "Choose a worker that is live and does not drain, or leave the choice open."


class RoomAborted(StateroomError):
    """The live object was thrown away under the call."""

    code = "room_aborted"
    default_remedy = "Try again; the object starts again from its committed state."
    retryable = True
    reset = True


class ObjectFault(StateroomError):
    """The object's own code raised an exception."""

    code = "object_fault"
    default_remedy = "See the server's log for the exception."
    class_name: str = ""
    """The class of the exception, as the object's code names it."""
    message: str = ""
    """The text of the exception."""
    attributes: Mapping[str, Any] = MappingProxyType({})
    """What else the exception was given: copies of its own public attributes that can travel."""


class EventTimedOut(ObjectFault):
    """The object's own code took longer than an event may."""

    code = "event_timed_out"
    default_remedy = "Split the work, or raise STATEROOM_EVENT_TIMEOUT_SECONDS."


class CallTimedOut(StateroomError):
    """The called object did not answer in time."""

    code = "call_timed_out"
    default_remedy = "Whether it did what was asked is not known: repeat what may be done twice."
    retryable = True


class CallDeadlock(StateroomError):
    """The called object waits, directly or through others, for the one that calls it."""

    code = "call_deadlock"
    default_remedy = "Pass on what the other object needs, or call it back after this event."

    def __init__(
        self,
        detail: str | None = None,
        *,
        remedy: str | None = None,
        ring: Sequence[str] = (),
    ) -> None:
        if detail is None and ring:
            detail = " waits for ".join((*ring, ring[0]))
        super().__init__(detail, remedy=remedy)
        self.ring = tuple(ring)
        """The objects in the order in which each waits for the next, the refused caller first."""


class CallRefused(StateroomError, TypeError):
    """An argument or result of a call cannot be taken."""

    code = "call_refused"
    default_remedy = "Arguments and results are of the types that storage takes, in their bounds."


class MethodUnknown(StateroomError):
    """The object has no such method that can be called."""

    code = "method_unknown"
    default_remedy = "Only public coroutine methods of the class are called; hooks are not."


class ConnectionClosed(StateroomError):
    """The object has closed this connection itself and sends on it."""

    code = "connection_closed"
    default_remedy = "Look at connection.open before sending to a connection that may be closed."


class ProtocolViolated(StateroomError):
    """A client sent what is no valid WebSocket message."""

    code = "protocol_violated"
    default_remedy = "Mend the client; its socket is closed and nothing of the message was heard."

    def __init__(
        self, detail: str | None = None, *, remedy: str | None = None, close_code: int = 1002
    ) -> None:
        super().__init__(detail, remedy=remedy)
        self.close_code = close_code
        """What the client was told: 1002 for a broken frame, 1007 for broken text, 1009 for a
        message that is too large."""


class TooManyAlarms(StateroomError):
    """The object has as many alarms as it may have."""

    code = "too_many_alarms"
    default_remedy = "Keep the list in storage, and one alarm for the next of its entries."
    overloaded = True


class BodyBroken(StateroomError):
    """The body of the request did not come to its end."""

    code = "body_broken"
    default_remedy = "Send the request again, with its whole body."


class BodyTooLarge(BodyBroken):
    """The body of the request is too large."""

    code = "body_too_large"
    default_remedy = "Send less at once, or raise the limit in the settings."


class BodyTooSlow(BodyBroken):
    """The body of the request did not come in time."""

    code = "body_too_slow"
    default_remedy = "Send the request again, and its body without long pauses."


class Unsupported(StateroomError):
    """The namespace's settings exclude this call."""

    code = "unsupported"


class IdInvalid(StateroomError, ValueError):
    """Not an object id of this namespace."""

    code = "id_invalid"
    default_remedy = "An id is 64 hex digits, made by this namespace."


class StorageRefused(StateroomError, ValueError):
    """A key or value cannot be stored."""

    code = "storage_refused"
