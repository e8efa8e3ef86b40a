"""Frames of a server, and messages that are encoded once."""

import pytest

from app.core.frames import (
    OutgoingMessage,
    TextParts,
    encode_frame,
    outgoing,
)


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65_535, b"\x82\x7e\xff\xff"),
        (65_536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_tells_its_length_in_the_shortest_form(size: int, header: bytes) -> None:
    payload = b"x" * size
    assert encode_frame(payload, text=False) == header + payload


def test_text_and_binary_have_their_opcodes() -> None:
    assert encode_frame(b"x", text=True)[0] == 0x81
    assert encode_frame(b"x", text=False)[0] == 0x82


def test_a_message_is_utf8_text_or_bytes() -> None:
    text = OutgoingMessage("é")
    assert (text.payload, text.text, text.size) == ("é".encode(), True, 2)
    raw = OutgoingMessage(b"\xff")
    assert (raw.payload, raw.text, raw.size) == (b"\xff", False, 1)
    ready = OutgoingMessage.from_utf8(b"ready")
    assert (ready.payload, ready.text) == (b"ready", True)


def test_half_a_surrogate_pair_does_not_stop_a_broadcast() -> None:
    assert OutgoingMessage("\ud83d").payload == b"\xed\xa0\xbd"


def test_a_frame_is_encoded_once_for_all_recipients() -> None:
    message = OutgoingMessage("hello")
    assert message.frame == b"\x81\x05hello"
    assert message.frame is message.frame


def test_a_message_is_wrapped_once_for_each_channel() -> None:
    calls: list[str] = []

    def wrap(channel: str, payload: bytes) -> bytes:
        calls.append(channel)
        return channel.encode() + b":" + payload

    message = OutgoingMessage("hello")
    first = message.wrapped("a", wrap)
    assert message.wrapped("a", wrap) is first
    assert first.payload == b"a:hello"
    assert first.text
    assert message.wrapped("b", wrap).payload == b"b:hello"
    assert calls == ["a", "b"]


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536])
def test_a_message_in_parts_is_the_frame_of_the_whole(size: int) -> None:
    shared = "é".encode() * size
    message = outgoing(TextParts((b"head", shared, b"")))
    whole = OutgoingMessage("head" + "é" * size)
    assert message.in_parts
    assert not whole.in_parts
    assert (message.payload, message.size, message.text) == (whole.payload, whole.size, True)
    assert message.frame == whole.frame == b"".join(message.frame_parts)
    assert any(part is shared for part in message.frame_parts)
    assert whole.frame_parts == (whole.frame,)


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(TypeError):
        outgoing(17)  # type: ignore[arg-type]  # what a careless author sends
