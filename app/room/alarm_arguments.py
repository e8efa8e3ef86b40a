"""What authors say of alarms, checked and made the stored form. Pure.

Names and errors go into text columns, which take neither NUL nor lone surrogates: a name that
holds one is refused when it is used, not when its batch is committed.
"""

from datetime import timedelta
from math import isfinite
from typing import Any, Final

from ..core.alarm_lists import is_internal
from ..core.errors import ObjectFault, StorageRefused
from ..core.limits import (
    ALARM_ERROR_CHARACTERS,
    ALARM_EVERY_MOST_MS,
    ALARM_EVERY_MS,
    ALARM_NAME_BYTES,
    ALARM_PAYLOAD_BYTES,
)
from ..core.storage_codec import encode_value
from ..core.values import AlarmFailure

_MILLISECOND: Final = timedelta(milliseconds=1)
_CLASS_CHARACTERS: Final = 200


def is_own(name: str) -> bool:
    """Whether an alarm of that name is the engine's, which no author sees or counts."""
    return is_internal(name)


def checked_name(name: object) -> str:
    """The name of an alarm, if it can be one."""
    if not isinstance(name, str):
        raise TypeError(f"the name of an alarm is text, not {type(name).__name__}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise StorageRefused("the name of an alarm holds a lone surrogate") from None
    if size > ALARM_NAME_BYTES:
        raise StorageRefused(
            f"the name of an alarm has {size} bytes, the limit is {ALARM_NAME_BYTES}"
        )
    if "\0" in name:
        raise StorageRefused("the name of an alarm holds a NUL")
    if is_own(name):
        raise StorageRefused("names of alarms that begin with U+0001 are the service's own")
    return name


def checked_interval(every: object) -> int | None:
    """An interval in whole milliseconds."""
    if every is None:
        return None
    if isinstance(every, timedelta):
        every_ms = every // _MILLISECOND
    elif isinstance(every, int) and not isinstance(every, bool):
        every_ms = every * 1000
    elif isinstance(every, float) and isfinite(every):
        every_ms = round(every * 1000)
    else:
        raise TypeError(f"an interval is a timedelta or a number of seconds, not {every!r}")
    if not ALARM_EVERY_MS <= every_ms <= ALARM_EVERY_MOST_MS:
        raise ValueError("the interval of an alarm lies between one second and a hundred years")
    return every_ms


def checked_payload(payload: Any) -> bytes | None:
    """The stored form of a payload; None for none."""
    if payload is None:
        return None
    stored = encode_value(payload)
    if len(stored) > ALARM_PAYLOAD_BYTES:
        raise StorageRefused(
            f"the payload of an alarm has {len(stored)} bytes, the limit is {ALARM_PAYLOAD_BYTES}"
        )
    return stored


def failure_of(error: BaseException, *, at_ms: int) -> AlarmFailure:
    """What is kept of the error that ended a run."""
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an author's exception may even fail to say what it is
        text = ""
    if isinstance(error, ObjectFault) and error.class_name:
        kind, text = error.class_name, error.message
    return AlarmFailure(
        error_class=_storable(kind, _CLASS_CHARACTERS),
        error_text=_storable(text, ALARM_ERROR_CHARACTERS),
        at_ms=at_ms,
    )


def _storable(text: str, characters: int) -> str:
    cut = text[:characters].replace("\0", "\ufffd")
    return cut.encode("utf-8", "replace").decode()
