"""Errors of the admin plane: what whoever steers has asked for and cannot have.

They come in kinds, and the kind decides the HTTP status (`web.admin.statuses`). An area of the
plane derives its own errors from them, here, so that each has a stable code of its own.

    AdminError
    ├── NotThere            404  nothing of that name
    │   ├── PathUnknown, ContentUnknown, WorkerUnknown
    │   └── TokenUnknown, KeyUnknown, ConnectionUnknown, AlarmUnknown
    ├── NotNow              409  the state of things does not allow it
    │   ├── NoContent, ContentPresent
    │   ├── AlarmRuns, StorageGuarded, ValueNotBytes
    │   └── RequestUnderWay, RequestOutcomeUnknown, TokenNameTaken
    ├── PreconditionFailed  412
    ├── NotLikeThis         422  the request cannot be understood or carried out
    │   ├── FieldsInvalid, IdempotencyKeyInvalid, IdempotencyKeyReused, ContentInvalid
    ├── ContentTooLarge     413
    ├── CursorInvalid       400
    ├── PathInvalid         400
    ├── AdminTokenRequired  401
    ├── RoleTooLow          403
    ├── MethodNotAllowed    405
    ├── MediaTypeUnknown    415
    ├── TooManyGuesses      429
    └── OperationTimedOut   504
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .error_root import StateroomError


class AdminError(StateroomError):
    """A request to the admin plane was refused."""

    code = "admin_refused"


class NotThere(AdminError):
    """There is nothing of that name."""

    code = "not_there"


class NotNow(AdminError):
    """The state of things does not allow this now."""

    code = "not_now"


class NotLikeThis(AdminError):
    """The request cannot be carried out as it is."""

    code = "not_like_this"


class PathUnknown(NotThere):
    """There is nothing at this address."""

    code = "not_found"
    default_remedy = "The addresses stand in /admin/openapi.json."


class WorkerUnknown(NotThere):
    """There is no worker of that id."""

    code = "worker_unknown"
    default_remedy = "List the workers; one that ended more than a day ago is forgotten."


class RequestUnderWay(NotNow):
    """A request with the same Idempotency-Key is under way."""

    code = "request_under_way"
    default_remedy = "Repeat the request in a moment; it is not run twice."


class RequestOutcomeUnknown(NotNow):
    """A request with the same Idempotency-Key was cut short; what it did is not known."""

    code = "request_outcome_unknown"
    default_remedy = "Look whether it was done; if not, repeat it with a new key."


class TokenUnknown(NotThere):
    """There is no such token."""

    code = "token_unknown"
    default_remedy = "List the tokens; they are named by the id in their middle."


class TokenNameTaken(NotNow):
    """A token that is not revoked has that name."""

    code = "token_name_taken"
    default_remedy = "Choose another name, or revoke that token first."


class NoContent(NotNow):
    """Objects of this class have no content that could be read or changed as JSON."""

    code = "no_content"
    default_remedy = "Give the class the methods of stateroom.JsonContent, or use its storage."


class ContentPresent(NotNow):
    """The object has content already."""

    code = "content_present"
    default_remedy = "Choose mode=replace or mode=merge, or another name."


class ContentUnknown(NotThere):
    """The object's content has no such part."""

    code = "content_unknown"
    default_remedy = "Read the part above it to see what there is."


class ContentInvalid(NotLikeThis):
    """The object cannot take this content; nothing was changed."""

    code = "content_invalid"


class ContentTooLarge(AdminError):
    """There is more content than one request carries."""

    code = "content_too_large"
    default_remedy = "Take it part by part: tables and rows have addresses of their own."


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFault:
    """What is wrong with one field of a request.

    Attributes:
        pointer: Where: a JSON pointer into the body (`#/name`), or `?name` in the query.
        detail: What, without the value: it may be a secret.
    """

    pointer: str
    detail: str


class KeyUnknown(NotThere):
    """The object stores nothing under this key."""

    code = "key_unknown"


class ConnectionUnknown(NotThere):
    """The object has no open connection of that id."""

    code = "connection_unknown"


class AlarmUnknown(NotThere):
    """The object has no alarm of that name."""

    code = "alarm_unknown"


class AlarmRuns(NotNow):
    """The alarm is being run at this moment."""

    code = "alarm_runs"
    default_remedy = "Wait until on_alarm has ended; it may take 15 minutes."


class StorageGuarded(NotNow):
    """The class of this object keeps its storage in a form of its own."""

    code = "storage_guarded"
    default_remedy = "Change its content instead, or say force=true if you know the form."


class ValueNotBytes(NotNow):
    """The value under this key is not bytes."""

    code = "value_not_bytes"
    default_remedy = "Read it as JSON."


class PreconditionFailed(AdminError):
    """What is stored is not what If-Match or If-None-Match asks for."""

    code = "precondition_failed"
    default_remedy = "Read the key again and decide anew."


class FieldsInvalid(NotLikeThis):
    """Fields of the request have values that cannot be taken."""

    code = "fields_invalid"
    default_remedy = "Correct the fields that `errors` names."

    def __init__(self, faults: Sequence[FieldFault], *, detail: str | None = None) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)
        """What is wrong, field by field."""


class IdempotencyKeyInvalid(NotLikeThis):
    """The Idempotency-Key cannot be taken."""

    code = "idempotency_key_invalid"
    default_remedy = "Send 1 to 255 visible ASCII characters, such as a UUID."


class IdempotencyKeyReused(NotLikeThis):
    """The Idempotency-Key was used before, for another request."""

    code = "idempotency_key_reused"
    default_remedy = "Make a new key for each new request."


class CursorInvalid(AdminError):
    """The cursor does not belong to this list."""

    code = "cursor_invalid"
    default_remedy = "Begin at the first page, without a cursor, and with the same filters."


class PathInvalid(AdminError):
    """The address of the request cannot be read."""

    code = "path_invalid"
    default_remedy = "Percent-encode names as UTF-8."


class AdminTokenRequired(AdminError):
    """The admin plane needs a valid token."""

    code = "admin_token_required"
    default_remedy = "Send it as Authorization: Bearer; `stateroom token create` makes one."


class RoleTooLow(AdminError):
    """The role of this token does not cover the request."""

    code = "role_too_low"
    default_remedy = "Use a token of the role that the request needs."


class MethodNotAllowed(AdminError):
    """This address does not take that method."""

    code = "method_not_allowed"
    default_remedy = "The header Allow names the methods."

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__()
        self.allowed = tuple(allowed)
        """The methods that it takes."""


class MediaTypeUnknown(AdminError):
    """The body is of a media type that is not read here."""

    code = "media_type_unknown"
    default_remedy = "Send the Content-Type that /admin/openapi.json names."


class TooManyGuesses(AdminError):
    """Too many wrong tokens came from this address."""

    code = "too_many_guesses"
    default_remedy = "Wait for a minute."


class OperationTimedOut(AdminError):
    """The request took longer than it may."""

    code = "operation_timed_out"
    default_remedy = "Whether it did what was asked is not known: look before repeating it."
