import importlib

from app.sdk import Request
from app.testing.harness import ObjectHarness

Chat = importlib.import_module("examples.chat.chat").Chat
A_WEEK = 7 * 86_400


async def test_everybody_reads_what_is_said_and_who_comes_later_reads_it_too() -> None:
    async with ObjectHarness({"chat": Chat}) as harness:
        alice = await harness.connect("chat", "lobby", request=Request(path="/Alice"))
        bob = await harness.connect("chat", "lobby", request=Request(path="/Bob"))
        alice.say("hello")
        await harness.settle()
        assert alice.take() == ["* Bob came", "Alice: hello"]
        assert bob.take() == ["Alice: hello"]
        carol = await harness.connect("chat", "lobby", request=Request(path="/Carol"))
        assert carol.take() == ["Alice: hello"]
        carol.leave(1000, "")
        await harness.settle()
        assert bob.take() == ["* Carol came", "* Carol left"]


async def test_who_speaks_after_a_rest_is_still_known_and_a_heartbeat_wakes_nobody() -> None:
    async with ObjectHarness({"chat": Chat}) as harness:
        alice = await harness.connect("chat", "lobby", request=Request(path="/Alice"))
        await harness.rest("chat", "lobby")
        alice.say("ping")
        await harness.settle()
        room = harness.live_room("chat", "lobby")
        assert room is not None
        assert not room.awake
        alice.say("still here")
        await harness.settle()
        assert alice.take() == ["pong", "Alice: still here"]


async def test_after_a_week_a_line_is_gone() -> None:
    async with ObjectHarness({"chat": Chat}) as harness:
        alice = await harness.connect("chat", "lobby", request=Request(path="/Alice"))
        alice.say("hello")
        await harness.settle()
        alice.leave(1000, "")
        await harness.settle()
        harness.clock.advance(A_WEEK + 1)
        await harness.advance(30)
        bob = await harness.connect("chat", "lobby", request=Request(path="/Bob"))
        assert bob.take() == []


async def test_of_a_long_talk_the_latest_lines_are_shown_in_their_order() -> None:
    async with ObjectHarness({"chat": Chat}) as harness:
        alice = await harness.connect("chat", "lobby", request=Request(path="/Alice"))
        for number in range(60):
            alice.say(str(number))
        await harness.settle()
        await harness.settle()
        bob = await harness.connect("chat", "lobby", request=Request(path="/Bob"))
        assert bob.take() == [f"Alice: {number}" for number in range(10, 60)]
