"""Whether rows and alarms that come from outside are such as an object could have stored itself.

An export may be of anybody's making. What no `put` and no `set_alarm` would have taken must not
come in by an import either: one value that nobody can read, or an alarm of the year 33,658, would
spoil the lists in which it stands. Pure.
"""

from typing import Final

from .errors import StorageRefused
from .instants import LATEST_MS
from .limits import (
    ALARM_ERROR_CHARACTERS,
    ALARM_EVERY_MOST_MS,
    ALARM_EVERY_MS,
    ALARM_PAYLOAD_BYTES,
    KEY_BYTES,
    VALUE_BYTES,
)
from .storage_codec import (
    EXPIRING,
    decode_value,
    encode_value,
    expiry_ms,
    is_raw,
    without_expiry,
)
from .values import Alarm

_CLASS_CHARACTERS: Final = 200


def check_row(key: bytes, value: bytes) -> None:
    """Look at a row as it is stored.

    Raises:
        StorageRefused: No object could have written it. The text quotes nothing of it.
    """
    if len(key) > KEY_BYTES:
        raise StorageRefused(f"a key has {len(key)} bytes, the limit is {KEY_BYTES}")
    try:
        key.decode()
    except UnicodeDecodeError:
        raise StorageRefused("a key is not UTF-8") from None
    _check_value(value)


def check_alarm(alarm: Alarm) -> None:
    """Look at an alarm.

    Raises:
        StorageRefused: No object could have set it.
    """
    times = (alarm.due_ms, alarm.next_attempt_ms or 0, alarm.failure.at_ms if alarm.failure else 0)
    if not all(0 <= each <= LATEST_MS for each in times):
        raise StorageRefused("a time of an alarm does not lie between 1970 and 9999")
    every = alarm.every_ms
    if every is not None and not ALARM_EVERY_MS <= every <= ALARM_EVERY_MOST_MS:
        raise StorageRefused("an interval of an alarm is too short or too long")
    failure = alarm.failure
    if failure is not None and (
        len(failure.error_class) > _CLASS_CHARACTERS
        or len(failure.error_text) > ALARM_ERROR_CHARACTERS
    ):
        raise StorageRefused("the failure of an alarm is too long")
    if alarm.payload is not None:
        if len(alarm.payload) > ALARM_PAYLOAD_BYTES or alarm.payload[:1] == bytes((EXPIRING,)):
            raise StorageRefused("the payload of an alarm is too long, or none")
        _check_value(alarm.payload)


def _check_value(stored: bytes) -> None:
    try:
        _read_value(stored)
    except StorageRefused:
        raise
    except (LookupError, TypeError, ValueError, RecursionError):
        raise StorageRefused("a value cannot be read") from None


def _read_value(stored: bytes) -> None:
    if stored[0] == EXPIRING and expiry_ms(stored) > LATEST_MS:
        raise StorageRefused("a value expires after the year 9999")
    form = without_expiry(stored)
    if len(form) > VALUE_BYTES:
        raise StorageRefused(f"a value has {len(form)} bytes, the limit is {VALUE_BYTES}")
    if form[0] >= EXPIRING:
        raise StorageRefused("a value is of an unknown form")
    if not is_raw(form):
        encode_value(decode_value(form))  # which also counts how deep it is nested
