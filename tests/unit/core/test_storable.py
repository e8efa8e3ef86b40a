"""What comes from outside is taken only if an object could have stored it itself."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.errors import StorageRefused
from app.core.instants import LATEST_MS
from app.core.limits import ALARM_EVERY_MOST_MS, KEY_BYTES, VALUE_BYTES
from app.core.storable import check_alarm, check_row
from app.core.storage_codec import encode_value, with_expiry
from app.core.values import Alarm, AlarmFailure

ALARM = Alarm(due_ms=5, next_attempt_ms=5)
FAILURE = AlarmFailure(error_class="E", error_text="text", at_ms=7)


def nested(levels: int) -> Any:
    value: Any = (datetime(2026, 1, 1, tzinfo=UTC),)
    for _ in range(levels - 1):
        value = (value,)
    return value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"", encode_value(None)),
        (b"k" * KEY_BYTES, encode_value(b"")),
        ("\0☃".encode(), encode_value({"$": [1, (2, {3})], "n": float("nan"), "i": 1 << 80})),
        (b"k", with_expiry(encode_value(1), LATEST_MS)),
        (b"k", encode_value(b"x" * (VALUE_BYTES - 1))),
        (b"k", encode_value(nested(100))),
    ],
)
def test_what_an_object_can_put_is_taken(key: bytes, value: bytes) -> None:
    check_row(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\xff\xfe", encode_value(1)),
        (b"k" * (KEY_BYTES + 1), encode_value(1)),
        (b"k", b""),
        (b"k", b"\xf0\x01"),
        (b"k", b"\x01{nope"),
        (b"k", b"\x01"),
        (b"k", b'\x02{"$":["nope",1]}'),
        (b"k", b'\x02{"$":1}'),
        (b"k", b'\x02{"$":["int","9x"]}'),
        (b"k", b'\x02{"$":["set",[1]]}'),
        (b"k", b'\x02{"$":["dict",1]}'),
        (b"k", b"\x03\x00"),
        (b"k", with_expiry(b"", 5)),
        (b"k", with_expiry(with_expiry(encode_value(1), 5), 5)),
        (b"k", with_expiry(encode_value(1), LATEST_MS + 1)),
        (b"k", encode_value(b"x" * VALUE_BYTES)),
        (b"k", b"\x01" + b"[" * 150 + b"]" * 150),
        (b"k", b"\x02" + b"[" * 900 + b"]" * 900),
    ],
)
def test_what_no_object_could_have_put_is_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(StorageRefused):
        check_row(key, value)


@pytest.mark.parametrize(
    "alarm",
    [
        ALARM,
        replace(ALARM, due_ms=LATEST_MS, next_attempt_ms=LATEST_MS),
        replace(ALARM, next_attempt_ms=None, failure=FAILURE),
        replace(ALARM, every_ms=ALARM_EVERY_MOST_MS, payload=encode_value([1, b"x"])),
    ],
)
def test_an_alarm_that_an_object_can_set_is_taken(alarm: Alarm) -> None:
    check_alarm(alarm)


@pytest.mark.parametrize(
    "alarm",
    [
        replace(ALARM, due_ms=LATEST_MS + 1),
        replace(ALARM, next_attempt_ms=LATEST_MS + 1),
        replace(ALARM, failure=replace(FAILURE, at_ms=LATEST_MS + 1)),
        replace(ALARM, failure=replace(FAILURE, error_text="x" * 501)),
        replace(ALARM, failure=replace(FAILURE, error_class="x" * 201)),
        replace(ALARM, every_ms=0),
        replace(ALARM, every_ms=ALARM_EVERY_MOST_MS + 1),
        replace(ALARM, payload=b"\xff\xff"),
        replace(ALARM, payload=b""),
        replace(ALARM, payload=with_expiry(encode_value(1), 5)),
        replace(ALARM, payload=encode_value("x" * 5_000)),
    ],
)
def test_an_alarm_that_no_object_could_have_set_is_refused(alarm: Alarm) -> None:
    with pytest.raises(StorageRefused):
        check_alarm(alarm)
