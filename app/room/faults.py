"""What others are told of an exception that an author's code raised.

Its class name and text, the flags that it sets on itself, and its own attributes as far as they
are of the types that travel. No trace, nothing private, and no more than a bounded size.
"""

from typing import Any

from ..core.errors import ObjectFault, StateroomError, StorageRefused, is_ours
from ..core.limits import FAULT_BYTES, FAULT_TEXT_CHARACTERS
from ..core.storage_codec import decode_value, encode_value

_FLAGS = ("retryable", "overloaded", "reset")
"""What an author's exception may say of itself to other objects."""
_OURS = frozenset({*_FLAGS, "remote", "object_id", "detail", "remedy"})
"""What the error says anyway, also when an author derives his from one of ours."""


class InstanceAborted(BaseException):
    """Unwinds code of an instance that is over; no `except Exception` of an author catches it."""


def as_blamed(error: BaseException) -> Exception:
    """What author's code raised; a cancelled future's error is an error of it like others."""
    if isinstance(error, Exception):
        return error
    fault = ObjectFault("what the hook asked for was cancelled")
    fault.__cause__ = error
    return fault


def as_fault(error: Exception) -> StateroomError:
    """The error that others are told when author's code raised."""
    if isinstance(error, StateroomError) and is_ours(type(error)):
        return error
    text = _text_of(error)
    fault = ObjectFault(f"{type(error).__name__}: {text}")
    fault.class_name, fault.message = type(error).__name__, text
    for flag in _FLAGS:
        if getattr(error, flag, False) is True:
            setattr(fault, flag, True)
    fault.attributes = _attributes_of(error)
    return fault


def _text_of(error: Exception) -> str:
    try:
        text = str(error)[:FAULT_TEXT_CHARACTERS]
    except Exception:  # noqa: BLE001 - the author's code makes the text
        return "an exception without a text"
    return text.encode("utf-8", "replace").decode()


def _attributes_of(error: Exception) -> dict[str, Any]:
    """Copies of what the exception was given; what cannot travel or is too much stays behind."""
    found: dict[str, Any] = {}
    left = FAULT_BYTES
    for name, value in vars(error).items():
        if name.startswith("_") or name in _OURS:
            continue
        try:
            stored = encode_value(value)
        except (StorageRefused, RecursionError):
            continue
        if len(stored) <= left:
            left -= len(stored)
            found[name] = decode_value(stored)
    return found
