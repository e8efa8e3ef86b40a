"""The multiplexed mode (section 9): several rooms over one socket, subprotocol `tinybase`.

Control frames are `S LF [requestId, -1, [control, body]]`, data frames `M LF channel LF payload`.
The multiplexer checks the envelope and what is one socket's (the number of channels, the quotas
of fragments); the payload inside is checked by the room, which closes the channel's connection
and thereby the socket.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from ..sdk.json import UNDEFINED, JsonError, dump_json, parse_json
from ..sdk.multiplexing import Action, Deliver, Fail, Open, Reply, Shut
from .fragments import FragmentLedger
from .refusals import OVERFLOW_CHANNELS, OVERFLOW_SOCKET, Malformed, Overflow, Refusal
from .wire import FRAME_BYTES, SERVER, fragment_of, utf8_size

SUBPROTOCOL: Final = "tinybase"
CHANNELS_PER_SOCKET: Final = 100
CHANNELS_WITH_TEARDOWN: Final = 200
"""Open channels and those being torn down together."""

CHANNEL_ID_BYTES: Final = 1024
REQUEST_TIMEOUT_SECONDS: Final = 1.0

_HELLO, _SUBSCRIBE, _UNSUBSCRIBE = range(3)
_CONTROL_KIND = -1
_VERSION = 1
_UTF8_MAX = 4
_TRIPLE = 3
_PAIR = 2
_DATA = "M\n"
_CONTROL_CHARS = 1 << 16  # it holds a request id and a channel id, and is parsed at once
_CONTROL = f"{SERVER}\n"
_FORBIDDEN = re.compile(r"[\n\r?#]")
_BAD_SEGMENTS = frozenset({"", ".", ".."})
_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Multiplexer:
    """One socket's channels; see `app.sdk.multiplexing.SocketMultiplexer`."""

    def __init__(self, *, request_timeout_seconds: float = REQUEST_TIMEOUT_SECONDS) -> None:
        self._greeted = False
        self._channels: set[str] = set()
        self._leaving = 0
        self._ledger = FragmentLedger(timeout_seconds=request_timeout_seconds)

    def receive(self, message: str | bytes, now: float) -> Sequence[Action]:
        """Return what to do about a frame of the client; never raises on account of it."""
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        try:
            if len(text) * _UTF8_MAX > FRAME_BYTES and utf8_size(text) > FRAME_BYTES:
                raise Overflow(OVERFLOW_SOCKET)
            if text.startswith(_DATA):
                return self._data(text, now)
            return self._control(text)
        except Refusal as refusal:
            return (Fail(code=refusal.code, reason=refusal.reason),)

    def wrap(self, channel: str, payload: str) -> str:
        """Return the data frame that carries a payload of the channel's room."""
        return f"M\n{channel}\n{payload}"

    def finished(self, channel: str) -> None:
        """A channel that was shut has left its room."""
        del channel
        self._leaving -= 1

    def _data(self, text: str, now: float) -> Sequence[Action]:
        end = text.find("\n", len(_DATA))
        if end < 0:
            raise Malformed
        channel = text[len(_DATA) : end]
        if channel not in self._channels:
            _check_size(channel)
            raise Malformed
        payload = text[end + 1 :]
        fragment = fragment_of(payload)
        if fragment is not None:
            self._ledger.add(fragment, now, scope=channel)
        return (Deliver(channel=channel, payload=payload),)

    def _control(self, text: str) -> Sequence[Action]:
        request_id, control, body = _parse_control(text)
        if control == _HELLO:
            if request_id is None or not _loosely_equals(body, _VERSION):
                raise Malformed
            self._greeted = True
            return (Reply(text=_answer(request_id, control, body)),)
        if not isinstance(body, str) or (request_id is None) is not (control == _UNSUBSCRIBE):
            raise Malformed
        if not self._greeted:
            return ()
        _check_channel(body)
        if control == _SUBSCRIBE:
            return self._subscribe(body, _answer(request_id, control, body))
        return self._unsubscribe(body)

    def _subscribe(self, channel: str, answer: str) -> Sequence[Action]:
        if channel in self._channels:
            return (Reply(text=answer),)
        open_channels = len(self._channels)
        if (
            open_channels >= CHANNELS_PER_SOCKET
            or open_channels + self._leaving >= CHANNELS_WITH_TEARDOWN
        ):
            raise Overflow(OVERFLOW_CHANNELS)
        self._channels.add(channel)
        return (Open(channel=channel, path_suffix=channel, accepted=answer),)

    def _unsubscribe(self, channel: str) -> Sequence[Action]:
        if channel not in self._channels:
            return ()
        self._channels.remove(channel)
        self._leaving += 1
        self._ledger.drop_scope(channel)
        return (Shut(channel=channel),)


def _parse_control(text: str) -> tuple[str | None, int, Any]:
    """Return request id, control number and body of a control frame."""
    if not text.startswith(_CONTROL) or len(text) > _CONTROL_CHARS:
        raise Malformed
    try:
        elements = parse_json(text[len(_CONTROL) :])
    except JsonError:
        raise Malformed from None
    if type(elements) is not list or len(elements) != _TRIPLE:
        raise Malformed
    request_id, kind, order = elements
    if request_id is not None and (type(request_id) is not str or request_id == UNDEFINED):
        raise Malformed
    if not _is_number(kind, _CONTROL_KIND) or type(order) is not list or len(order) != _PAIR:
        raise Malformed
    for control in (_HELLO, _SUBSCRIBE, _UNSUBSCRIBE):
        if _is_number(order[0], control):
            return request_id, control, None if order[1] == UNDEFINED else order[1]
    raise Malformed


def _is_number(value: Any, number: int) -> bool:
    return type(value) in {int, float} and bool(value == number)


def _loosely_equals(value: Any, number: int) -> bool:
    """JavaScript's `==` between a JSON value and a number."""
    if isinstance(value, list):
        return (
            len(value) == 1 and not isinstance(value[0], bool) and _loosely_equals(value[0], number)
        )
    if isinstance(value, str):
        digits = value.strip()
        return _PLAIN_NUMBER.fullmatch(digits) is not None and float(digits) == number
    return isinstance(value, (bool, int, float)) and value == number


def _check_channel(channel: str) -> None:
    _check_size(channel)
    if _FORBIDDEN.search(channel) or not _BAD_SEGMENTS.isdisjoint(channel.split("/")):
        raise Malformed


def _check_size(channel: str) -> None:
    if utf8_size(channel) > CHANNEL_ID_BYTES:
        raise Overflow(OVERFLOW_CHANNELS)


def _answer(request_id: str | None, control: int, body: Any) -> str:
    return _CONTROL + dump_json([request_id, _CONTROL_KIND, [control, body]]).decode()
