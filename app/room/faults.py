"""What others are told of an exception that an author's code raised.

Its class name and text, the flags that it sets on itself, and its own attributes as far as they
are of the types that travel. No trace, nothing private, and no more than a bounded size.
"""

import asyncio
from typing import Any

from ..core.errors import ObjectFault, StateroomError, is_ours
from ..core.limits import FAULT_BYTES, FAULT_TEXT_CHARACTERS
from ..core.storage_codec import decode_value, encode_value

_FLAGS = ("retryable", "overloaded", "reset")
"""What an author's exception may say of itself to other objects."""
_OURS = frozenset({*_FLAGS, "remote", "object_id", "detail", "remedy"})
"""What the error says anyway, also when an author derives his from one of ours."""


class InstanceAborted(BaseException):
    """Unwinds code of an instance that is over; no `except Exception` of an author catches it."""


def as_raised(error: BaseException) -> BaseException:
    """What code of an author raised, as the engine goes on with it.

    Its errors, its unwinding and its cancellation are what they are. Whatever else leaves it
    (SystemExit above all, which would end the worker) is an error like others: one object must
    not stop the rest, nor itself.
    """
    if isinstance(error, Exception | InstanceAborted | asyncio.CancelledError):
        return error
    if isinstance(error, BaseExceptionGroup) and error.subgroup(InstanceAborted) is not None:
        return InstanceAborted(str(error.subgroup(InstanceAborted)))
    return as_blamed(error)


def as_blamed(error: BaseException) -> Exception:
    """What author's code raised; a cancelled future's error is an error of it like others."""
    if isinstance(error, Exception):
        return error
    if isinstance(error, asyncio.CancelledError):
        fault = ObjectFault("what the hook asked for was cancelled")
    else:
        name, text = type(error).__name__, _text_of(error)
        fault = ObjectFault(f"{name}: {text}")
        fault.class_name, fault.message = name, text
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
        if _is_set(error, flag):
            setattr(fault, flag, True)
    fault.attributes = _attributes_of(error)
    return fault


def _is_set(error: Exception, flag: str) -> bool:
    try:
        return getattr(error, flag, False) is True
    except Exception:  # noqa: BLE001 - it may be a property of the author's
        return False


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)[:FAULT_TEXT_CHARACTERS]
    except BaseException:  # noqa: BLE001 - the author's code makes the text, whatever it raises
        return "an exception without a text"
    return text.encode("utf-8", "replace").decode()


def _own_of(error: Exception) -> dict[Any, Any]:
    try:
        return dict(vars(error))
    except Exception:  # noqa: BLE001 - its class may make even this a property
        return {}


def _attributes_of(error: Exception) -> dict[str, Any]:
    """Copies of what the exception was given; what cannot travel or is too much stays behind."""
    found: dict[str, Any] = {}
    left = FAULT_BYTES
    for name, value in _own_of(error).items():
        if not isinstance(name, str) or name.startswith("_") or name in _OURS:
            continue
        try:
            name.encode()
            stored = encode_value(value)
        except Exception:  # noqa: BLE001, S112 - of a type that does not travel, or code of the author's
            continue
        if len(stored) <= left:
            left -= len(stored)
            found[name] = decode_value(stored)
    return found
