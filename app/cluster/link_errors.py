"""Errors across a link: class, text and remedy travel; traces do not.

An error class is found again by its code. One that the other side does not know arrives as a
`RoomAborted`. Whether the author's code had begun on a call is said beside the error and not by
it: an error that an author's own calls brought may travel on as the error of his event.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from ..core.errors import (
    CallDeadlock,
    ObjectFault,
    OwnedElsewhere,
    RoomAborted,
    StateroomError,
    is_ours,
)
from ..core.ids import ObjectId
from ..core.limits import FAULT_TEXT_CHARACTERS
from ..core.storage_codec import decode_value, encode_value

_BEGUN = "begun"
_FLAGS = frozenset({"retryable", "overloaded", "reset"})
"""What an exception of the author's code may say of itself."""


class NotBegun(Exception):
    """A call failed before the author's code began on it, so it may be made again elsewhere.

    Args:
        error: Why.
    """

    def __init__(self, error: StateroomError) -> None:
        super().__init__(str(error))
        self.error = error


def failure_meta(error: StateroomError | NotBegun) -> dict[str, Any]:
    """What is told of the failure of a call."""
    if isinstance(error, NotBegun):
        return error_meta(error.error) | {_BEGUN: False}
    return error_meta(error)


def failure_from(meta: Mapping[str, Any]) -> StateroomError | NotBegun:
    """The failure that was told; who says nothing of a beginning has begun."""
    error = error_from(meta)
    return NotBegun(error) if meta.get(_BEGUN) is False else error


def error_meta(error: StateroomError) -> dict[str, Any]:
    """What is told of an error."""
    detail = error.detail[:FAULT_TEXT_CHARACTERS]
    meta: dict[str, Any] = {"code": error.code, "detail": detail, "remedy": error.remedy}
    if isinstance(error, OwnedElsewhere) and error.worker_id is not None:
        meta |= {"holder": str(error.worker_id), "address": error.address}
    elif isinstance(error, ObjectFault):
        flags = [flag for flag in _FLAGS if getattr(error, flag)]
        message = error.message[:FAULT_TEXT_CHARACTERS]
        meta |= {"class": error.class_name, "message": message, "flags": flags}
        if error.attributes:
            meta["attributes"] = encode_value(dict(error.attributes)).hex()
    elif isinstance(error, CallDeadlock):
        meta["ring"] = list(error.ring)
    if error.object_id is not None:
        meta["object"] = error.object_id
    return meta


def error_from(meta: Mapping[str, Any]) -> StateroomError:
    """The error that was told."""
    cls = _by_code(StateroomError).get(str(meta.get("code")), RoomAborted)
    detail, remedy = str(meta.get("detail", "")), str(meta.get("remedy", ""))
    error: StateroomError
    if issubclass(cls, OwnedElsewhere):
        error = cls(
            detail,
            remedy=remedy,
            worker_id=_worker_id(meta.get("holder")),
            address=str(meta.get("address", "")),
        )
    elif issubclass(cls, CallDeadlock):
        error = cls(detail, remedy=remedy, ring=[str(name) for name in meta.get("ring", ())])
    else:
        error = cls(detail, remedy=remedy)
    if isinstance(error, ObjectFault):
        error.class_name, error.message = str(meta.get("class", "")), str(meta.get("message", ""))
        for flag in _FLAGS & set(meta.get("flags", ())):
            setattr(error, flag, True)
        if "attributes" in meta:
            with suppress(ValueError):  # they are extra: the error is told without them too
                error.attributes = decode_value(bytes.fromhex(str(meta["attributes"])))
    if "object" in meta:
        error.object_id = str(meta["object"])
    return error


def told(error: StateroomError, object_id: ObjectId | None) -> StateroomError:
    """What a caller gets of an error: a copy, made the same way here and over a link.

    `object_id` is the called object, if its code was running; of a whole chain of calls, the
    object that raised first is named.
    """
    copy = error_from(error_meta(error))
    copy.object_id = error.object_id or (str(object_id) if object_id is not None else None)
    copy.remote = copy.object_id is not None
    return copy


def _worker_id(text: object) -> UUID | None:
    try:
        return UUID(str(text)) if text is not None else None
    except ValueError:
        return None


def _by_code(root: type[StateroomError]) -> dict[str, type[StateroomError]]:
    found = {root.code: root}
    for cls in root.__subclasses__():
        if is_ours(cls):
            found |= _by_code(cls)
    return found
