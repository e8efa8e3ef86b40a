"""The hybrid logical clock that stamps every change (sections 5.3 and 5.4).

An HLC is 16 characters: 7 for milliseconds, 4 for a counter, 5 for the writer, base 64 with an
alphabet in ASCII order, so that comparing two of them as text compares time, counter, writer.
Wall time is passed in; a stamp further ahead of it than `MAX_DRIFT_MS` is not believed.
"""

import re
from collections.abc import Callable
from typing import Final

from .hashing import text_hash

ALPHABET: Final = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
HLC_CHARS: Final = 16
MAX_DRIFT_MS: Final = 300_000
"""How far ahead of the wall clock a stamp may be: exactly this much is taken."""

RandomText = Callable[[int], str]
"""Gives that many unpredictable characters of `ALPHABET`."""

_BITS = 6
_TIME_CHARS = 7
_COUNTER_CHARS = 4
_WRITER_CHARS = 5
_COUNTER_END = 1 << (_BITS * _COUNTER_CHARS)
_LOW_BITS = (1 << _BITS) - 1
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_LATEST_REST = ALPHABET[-1] * (HLC_CHARS - _TIME_CHARS)

is_full_hlc = re.compile(r"[-0-9A-Z_a-z]{16}").fullmatch
"""Whether a text is an HLC that is not empty; truthy or None."""


def encode_hlc(time: int, counter: int, writer: str) -> str:
    """Return the HLC of a time in milliseconds, a counter and a 5-character writer."""
    return _digits(time, _TIME_CHARS) + _digits(counter, _COUNTER_CHARS) + writer


def decode_hlc(hlc: str) -> tuple[int, int, str]:
    """Return time, counter and writer of an HLC; `(0, 0, "")` of the empty one.

    Raises:
        ValueError: It is not an HLC.
    """
    if not hlc:
        return (0, 0, "")
    if is_full_hlc(hlc) is None:
        raise ValueError("not a hybrid logical clock stamp")
    counter_end = _TIME_CHARS + _COUNTER_CHARS
    return (
        _number(hlc[:_TIME_CHARS]),
        _number(hlc[_TIME_CHARS:counter_end]),
        hlc[counter_end:],
    )


def writer_of(unique_id: str) -> str:
    """Return the writer part of a store with that id: the low 30 bits of its hash."""
    return _digits(text_hash(unique_id), _WRITER_CHARS)


def random_writer(random: RandomText) -> str:
    """Return the writer part of a store without an id."""
    return random(_WRITER_CHARS)


def latest_acceptable(now_ms: int) -> str:
    """Return the greatest HLC that is believed at `now_ms`; compare as text."""
    return _digits(now_ms + MAX_DRIFT_MS, _TIME_CHARS) + _LATEST_REST


class Clock:
    """A replica's clock: later than everything it has seen, never going back.

    `observe` only remembers the greatest stamp and wall time; the state is settled when it is
    asked for. That gives the same state as settling at each call, because the state depends
    only on the greatest time and, among the stamps of that time, the greatest counter.
    """

    __slots__ = ("_counter", "_limit", "_limit_now", "_newest", "_now", "_time", "_writer")

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._time = 0
        self._counter = -1
        self._newest = ""
        self._now = -1
        self._limit_now = 0
        self._limit = latest_acceptable(0)

    @property
    def state(self) -> tuple[int, int]:
        """The last logical time in milliseconds and the last counter, -1 for none."""
        self._settle()
        return (self._time, self._counter)

    def accepts(self, hlc: str, now_ms: int) -> bool:
        """Whether a well-formed HLC, or the empty one, is not too far in the future."""
        if now_ms >= self._limit_now and hlc <= self._limit:
            return True
        self._limit_now = now_ms
        self._limit = latest_acceptable(now_ms)
        return hlc <= self._limit

    def observe(self, hlc: str, now_ms: int) -> None:
        """Take note of an acceptable HLC, or of the wall time alone with the empty one."""
        if hlc > self._newest:  # noqa: PLR1730 - max() costs twice as much, once a message
            self._newest = hlc
        if now_ms > self._now:  # noqa: PLR1730 - likewise
            self._now = now_ms

    def seen(self, hlc: str, now_ms: int) -> None:
        """Take note of a stamp; one that is no HLC or too far ahead is ignored."""
        if (not hlc or is_full_hlc(hlc)) and self.accepts(hlc, now_ms):
            self.observe(hlc, now_ms)

    def next(self, now_ms: int) -> str:
        """Return a new HLC, greater than all seen and given before."""
        self.observe("", now_ms)
        self._settle()
        self._counter += 1
        if self._counter == _COUNTER_END:
            self._time += 1
            self._counter = 0
        return encode_hlc(self._time, self._counter, self._writer)

    def _settle(self) -> None:
        if self._now < 0:
            return
        remote_time, remote_counter, _ = decode_hlc(self._newest)
        time = max(self._time, remote_time, self._now)
        if time == self._time:
            if time == remote_time:
                self._counter = max(self._counter, remote_counter)
        else:
            self._counter = remote_counter if time == remote_time else -1
        self._time = time
        self._newest = ""
        self._now = -1


def _digits(number: int, count: int) -> str:
    text = ""
    for _ in range(count):
        text = ALPHABET[number & _LOW_BITS] + text
        number >>= _BITS
    return text


def _number(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number << _BITS | _VALUES[digit]
    return number
