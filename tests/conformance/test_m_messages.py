"""Messages of clients, and the bounds of a socket (M, 183 to 185, 208, 209, 211, 212)."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import ConfigurationInvalid
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject
from app.settings import load_settings
from app.testing.harness import ObjectHarness
from tests.conformance import hall
from tests.conformance.hall import Hall, asleep, closed, told
from tests.conformance.verdicts import differs
from tests.conformance.wired import wired
from tests.integration.web.wire_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
    text_frame,
)

_LARGEST = 1 << 16


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    hall.reset()
    async with ObjectHarness({"hall": Hall, "deaf": DurableObject}) as made:
        yield made


async def test_183_text_is_a_str_and_binary_is_bytes(harness: ObjectHarness) -> None:
    """Text arrives as `str`, binary as `bytes`, and goes out alike."""
    Hall.hooks["message"] = lambda _self, connection, message: connection.send(message)
    async with wired(harness) as client:
        client.say(text_frame("é") + frame(BINARY, b"\xff") + text_frame("") + frame(BINARY, b""))
        await harness.settle()
        assert told("message") == [("é",), (b"\xff",), ("",), (b"",)]
        assert client.take() == [
            (TEXT, "é".encode()),
            (BINARY, b"\xff"),
            (TEXT, b""),
            (BINARY, b""),
        ]


async def test_184_hooks_that_are_not_there_are_no_error(harness: ObjectHarness) -> None:
    """A class without hooks may be spoken to, left and mistreated, and nothing happens."""
    alice, bob = await harness.connect("deaf", "a"), await harness.connect("deaf", "a")
    alice.say("text")
    alice.say(b"binary")
    await harness.settle()
    alice.leave()
    bob.leave(1002, "broken", clean=False)
    await harness.settle()
    assert harness.counted["object_faults"] == 0
    assert (closed(alice), closed(bob)) == (None, None)


async def test_185_messages_of_one_socket_are_heard_in_order(harness: ObjectHarness) -> None:
    """The messages of one socket are heard in the order in which they were sent."""
    texts = [f"{number}" for number in range(200)]
    async with wired(harness) as client:
        client.say(b"".join(text_frame(text) for text in texts))
        await harness.settle()
        assert told("message") == [(text,) for text in texts]


@differs("the bound is a setting, 20 MiB by default and 31.9 MiB at most, as links between workers")
async def test_208_a_message_over_the_largest_size_closes_the_socket(
    harness: ObjectHarness,
) -> None:
    """A message of 32 MiB is heard; a larger one closes the socket."""
    assert load_settings().max_frame_bytes == 20 << 20
    assert load_settings(max_frame_bytes=31 << 20).max_frame_bytes == 31 << 20
    with pytest.raises(ConfigurationInvalid, match="STATEROOM_MAX_FRAME_BYTES"):
        load_settings(max_frame_bytes=32 << 20)
    async with wired(harness, max_frame_bytes=_LARGEST) as client:
        client.say(frame(BINARY, b"x" * _LARGEST))
        client.say(frame(BINARY, b"x" * _LARGEST, final=False) + frame(CONTINUATION, b"x"))
        await harness.settle()
        assert [len(message) for (message,) in told("message")] == [_LARGEST]
        ((opcode, payload),) = client.take()
        assert (opcode, payload[:2]) == (CLOSE, (1009).to_bytes(2, "big"))
        ((error,),) = told("error")
        assert error.close_code == 1009
        ((code, _, clean),) = told("close")
        assert (code, clean) == (1009, False)


async def test_209_a_ping_is_answered_without_waking_the_object(harness: ObjectHarness) -> None:
    """A ping of the client is answered by the server, and the object sleeps on."""
    async with wired(harness) as client:
        await harness.rest("hall", "a")
        client.say(frame(PING, b"are you there"))
        await harness.settle()
        assert client.take() == [(PONG, b"are you there")]
        assert asleep(harness)
        assert told("message") == []


async def test_211_a_reader_that_stops_holds_nobody_else_up() -> None:
    """A send to a client that reads slowly does not hold up the others of its object."""
    hall.reset()
    Hall.hooks["message"] = lambda self, _connection, text: self.ctx.broadcast(text)
    async with ObjectHarness({"hall": Hall}, limits=RoomLimits(outbox_bytes=10_000)) as harness:
        slow, quick = await harness.connect("hall", "a"), await harness.connect("hall", "a")
        slow.stall()
        for number in range(20):
            quick.say(f"{number:01000d}")
            await harness.settle()
        assert [len(text) for text in quick.take()] == [1_000] * 20
        assert closed(slow) == (1013, "overloaded")
        assert closed(quick) is None


async def test_212_a_broadcast_reaches_each_open_socket_once_and_in_order(
    harness: ObjectHarness,
) -> None:
    """A broadcast reaches every socket that is open when it is made, once, in the order made."""

    def message(self: Hall, connection: Connection, text: str) -> None:
        self.ctx.storage.put("said", text)
        self.ctx.broadcast(f"{text} to all")
        connection.send(f"{text} to you")
        self.ctx.broadcast(f"{text} to others", exclude=connection)

    Hall.hooks["message"] = message
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    gone = await harness.connect("hall", "a")
    gone.vanish()
    await harness.settle()
    harness.committer.hold()
    alice.say("1")
    late = await harness.connect("hall", "a")
    alice.say("2")
    harness.committer.commit_now()
    await harness.settle()
    assert alice.take() == ["1 to all", "1 to you", "2 to all", "2 to you"]
    assert bob.take() == ["1 to all", "1 to others", "2 to all", "2 to others"]
    assert late.take() == ["2 to all", "2 to others"]
    assert gone.take() == []


async def test_a_breach_of_the_protocol_is_told_with_its_code_and_once(
    harness: ObjectHarness,
) -> None:
    for broken, code in (
        (frame(TEXT, b"\xff"), 1007),
        (frame(3, b""), 1002),
        (frame(CLOSE, b"\x03\xe8\xff\xfe"), 1007),
        (frame(CLOSE, b"\x07\xd0"), 1002),
    ):
        hall.reset()
        async with wired(harness) as client:
            client.say(broken)
            await harness.settle()
            ((opcode, payload),) = client.take()
            assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, code)
        await harness.settle()
        ((error,),) = told("error")
        assert error.close_code == code
        ((close_code, _, clean),) = told("close")
        assert (close_code, clean) == (code, False)


@pytest.mark.parametrize("broken", [frame(3, b""), frame(TEXT, b"\xff")], ids=["frame", "text"])
async def test_what_came_whole_before_a_breach_is_heard_and_nothing_after_it(
    harness: ObjectHarness, broken: bytes
) -> None:
    Hall.hooks["message"] = lambda _self, connection, text: connection.send(f"heard {text}")
    async with wired(harness) as client:
        client.say(
            text_frame("1") + frame(PING, b"p") + text_frame("2") + broken + text_frame("late")
        )
        await harness.settle()
        frames = client.take()
        assert [opcode for opcode, _ in frames] == [TEXT, PONG, TEXT, CLOSE]
    await harness.settle()
    assert told("message") == [("1",), ("2",)]
    assert len(told("close")) == len(told("error")) == 1


async def test_text_that_is_none_before_a_frame_that_is_none_is_the_end(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        client.say(text_frame("1") + frame(TEXT, b"\xff") + text_frame("late") + frame(3, b""))
        await harness.settle()
    await harness.settle()
    assert told("message") == [("1",)]
    assert len(told("close")) == len(told("error")) == 1


async def test_a_client_that_asks_and_reads_nothing_is_owed_one_pong(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        client.protocol.pause_writing()
        client.say(b"".join(frame(PING, b"%d" % number) for number in range(1_000)))
        assert client.take() == []
        client.protocol.resume_writing()
        assert client.take() == [(PONG, b"999")]
        client.say(frame(PING, b"again"))
        assert client.take() == [(PONG, b"again")]
        client.protocol.pause_writing()
        client.say(frame(PING, b"last") + close_frame(1000))
        assert client.take() == [(CLOSE, b"\x03\xe8")]
        client.protocol.resume_writing()
        assert client.take() == []


async def test_a_client_that_finds_our_frames_wrong_closes_cleanly(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        client.say(close_frame(1009, "too large for me"))
        await harness.settle()
    assert told("close") == [(1009, "too large for me", True)]
    assert told("error") == []


async def test_after_the_objects_own_close_nothing_of_the_client_is_a_breach(
    harness: ObjectHarness,
) -> None:
    Hall.hooks["message"] = lambda _self, connection, _text: connection.close(4000, "enough")
    async with wired(harness) as client:
        client.say(text_frame("x"))
        client.say(frame(3, b"no such frame"))
        await harness.settle()
        assert client.take() == [(CLOSE, (4000).to_bytes(2, "big") + b"enough")]
    assert told("close") == [(4000, "enough", True)]
    assert told("error") == []
