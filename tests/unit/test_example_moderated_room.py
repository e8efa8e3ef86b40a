"""The example of a moderated room, with clients in memory; real ones are in tests/interop."""

import importlib
from typing import Any

from app.sdk import Request
from app.testing.harness import ObjectHarness
from app.tinybase.content import get_tables, get_values
from tests.unit.tinybase.peers import ROOM, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, hlc

moderated = importlib.import_module("examples.moderated-room.moderated")


def _message(row_id: str, author: str, text: str, time: int) -> list[Any]:
    return cells("messages", row_id, {"author": [author, hlc(time)], "text": [text, hlc(time)]})


async def test_words_are_masked_and_messages_counted_whoever_writes_them() -> None:
    async with ObjectHarness(mounted(moderated.ModeratedRoom)) as harness:
        alice = await ThinkingPeer.join(harness)
        bob = await ThinkingPeer.join(harness)
        alice.change(_message("1", "alice", "Damn, it rains", 1))
        bob.change(_message("2", "bob", "so it does", 2))
        alice.change(_message("3", "alice", "blast", 3))
        await talk(harness, alice, bob)
        await harness.stub(ROOM, "a").post("carol", "damn right")
        await talk(harness, alice, bob)
        tables = get_tables(bob.replica)
        texts = sorted(row["text"] for row in tables["messages"].values())
        assert texts == ["**** right", "*****", "****, it rains", "so it does"]
        assert tables["authors"] == {
            "alice": {"messages": 2},
            "bob": {"messages": 1},
            "carol": {"messages": 1},
        }
        assert get_values(bob.replica) == {"topic": "anything, politely"}
        assert get_tables(alice.replica) == tables
        assert await harness.stub(ROOM, "a").report() == {"alice": 2, "bob": 1, "carol": 1}


async def test_a_message_that_changes_hands_is_counted_for_its_new_author() -> None:
    async with ObjectHarness(mounted(moderated.ModeratedRoom)) as harness:
        alice = await ThinkingPeer.join(harness)
        alice.change(_message("1", "alice", "mine", 1))
        alice.change(cells("messages", "1", {"author": ["bob", hlc(2)]}))
        await talk(harness, alice)
        assert await harness.stub(ROOM, "a").report() == {"alice": 0, "bob": 1}


async def test_counts_that_a_client_makes_up_are_put_back_and_its_messages_counted_anew() -> None:
    async with ObjectHarness(mounted(moderated.ModeratedRoom)) as harness:
        alice = await ThinkingPeer.join(harness)
        alice.change(_message("1", "alice", "mine", 1))
        await talk(harness, alice)
        alice.change(cells("authors", "alice", {"messages": [99, hlc(2000)]}))
        alice.change(cells("authors", "mallory", {"messages": [99, hlc(2000)]}))
        await talk(harness, alice)
        assert get_tables(alice.replica)["authors"] == {"alice": {"messages": 1}}
        other = await ThinkingPeer.join(harness, alice.replica, name="b")
        await talk(harness, other)
        assert await harness.stub(ROOM, "b").report() == {"alice": 1}
        assert get_tables(other.replica)["authors"] == {"alice": {"messages": 1}}


async def test_messages_can_be_posted_and_counted_over_http() -> None:
    async with ObjectHarness(mounted(moderated.ModeratedRoom)) as harness:
        posted = await harness.request(
            ROOM, "a", Request(method="POST", path="/post", body=b"damn good")
        )
        report = await harness.request(ROOM, "a", Request(path="/report"))
        assert (posted.status, report.body) == (201, b'{"the house":1}')
        missing = await harness.request(ROOM, "a", Request(path="/post"))
        assert missing.status == 404


async def test_what_is_older_than_a_day_is_cleaned_up_while_nobody_is_there() -> None:
    async with ObjectHarness(mounted(moderated.ModeratedRoom)) as harness:
        room = harness.stub(ROOM, "a")
        await room.post("alice", "first")
        await harness.advance(60.0)
        await room.post("bob", "second")
        assert await harness.run_alarm_now(room)
        assert await room.report() == {"alice": 0, "bob": 1}
        assert await harness.run_alarm_now(room)
        assert await room.report() == {"alice": 0, "bob": 0}
        assert harness.alarm(ROOM, "a") is None
