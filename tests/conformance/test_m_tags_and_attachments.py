"""What a connection carries: its tags and its attachment (M, 173 to 182)."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import Overloaded, StorageRefused
from app.room.limits import RoomLimits
from app.sdk import Connection, Context, DurableObject, Request
from app.settings import load_settings
from app.testing.harness import ObjectHarness
from tests.conformance import hall
from tests.conformance.hall import Hall, asleep, told
from tests.conformance.verdicts import not_offered
from tests.unit.room.benches import a_connection


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    hall.reset()
    async with ObjectHarness({"hall": Hall}) as made:
        yield made


def _accepting(kind: type) -> list[str]:
    return [name for name in dir(kind) if "accept" in name]


@not_offered("the service accepts each socket once, before its object hears of it")
def test_173_there_is_no_second_way_to_accept_a_socket() -> None:
    """Accepting a socket that was accepted in another way raises."""
    assert _accepting(Context) == _accepting(Connection) == _accepting(DurableObject) == []


@not_offered("objects make no pairs of sockets: the service hands them accepted ones only")
async def test_174_an_object_hears_of_a_socket_only_as_an_accepted_connection(
    harness: ObjectHarness,
) -> None:
    """Accepting a socket whose other half was given away raises."""
    seen: list[object] = []
    Hall.hooks["connect"] = lambda _self, connection: seen.append(connection)
    await harness.connect("hall", "a")
    (connection,) = seen
    assert not [name for name in dir(connection) if "accept" in name or "pair" in name]


async def test_175_a_socket_too_many_is_refused() -> None:
    """An object takes 32,768 sockets, a setting, and refuses one more."""
    assert load_settings().max_connections == RoomLimits().connections == 32_768
    async with ObjectHarness({"hall": Hall}, limits=RoomLimits(connections=2)) as harness:
        await harness.connect("hall", "a")
        bob = await harness.connect("hall", "a")
        with pytest.raises(Overloaded, match="2 connections"):
            await harness.connect("hall", "a")
        bob.leave()
        await harness.connect("hall", "a")


def test_176_a_connection_carries_ten_tags_of_256_characters() -> None:
    """A connection carries ten different tags of at most 256 characters, and no more."""
    connection = a_connection()
    connection.tag("é" * 256, *(f"tag-{number}" for number in range(9)))
    connection.tag("tag-3")
    with pytest.raises(ValueError, match="at most 10"):
        connection.tag("one more")
    connection.untag("tag-0")
    with pytest.raises(ValueError, match="at most 256"):
        connection.tag("x" * 257)
    assert len(connection.tags) == 9


async def test_177_connections_are_listed_all_or_by_their_tags(harness: ObjectHarness) -> None:
    """All open connections are listed, or those with a tag; nobody has an unknown tag."""
    found: list[list[str]] = []

    def connect(_self: Hall, connection: Connection) -> None:
        connection.tag("everybody", connection.id)

    def message(self: Hall, _connection: Connection, _text: str) -> None:
        find = self.ctx.connections
        lists = (
            find(),
            find("connection-2"),
            find("nobody"),
            find(all_of=("everybody", "connection-1")),
            find(any_of=("connection-1", "connection-3", "nobody")),
            find("everybody", any_of=("connection-2",)),
        )
        found.extend([connection.id for connection in each] for each in lists)

    Hall.hooks.update(connect=connect, message=message)
    alice = await harness.connect("hall", "a")
    await harness.connect("hall", "a")
    await harness.connect("hall", "a")
    alice.say("list")
    one, two, three = "connection-1", "connection-2", "connection-3"
    assert found == [[one, two, three], [two], [], [one], [one, three], [two]]


async def test_178_what_is_said_to_a_tag_reaches_those_alone_who_carry_it(
    harness: ObjectHarness,
) -> None:
    """Connections with different tags are spoken to separately."""

    def message(self: Hall, connection: Connection, text: str) -> None:
        if text.startswith("be "):
            connection.tag(text.removeprefix("be "))
        else:
            self.ctx.broadcast(f"to {text}", tag=text)

    Hall.hooks["message"] = message
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    alice.say("be red")
    bob.say("be blue")
    bob.say("red")
    assert (alice.take(), bob.take()) == (["to red"], [])
    alice.say("blue")
    assert (alice.take(), bob.take()) == ([], ["to blue"])


async def test_a_message_to_a_tag_reaches_those_who_carried_it_when_it_was_said(
    harness: ObjectHarness,
) -> None:
    def message(self: Hall, connection: Connection, text: str) -> None:
        self.ctx.storage.put("said", text)
        self.ctx.broadcast(f"{text} to red", tag="red")
        if text == "swap":
            for each in self.ctx.connections():
                each.untag("red")
            connection.tag("red")

    Hall.hooks["message"] = message
    Hall.hooks["connect"] = lambda _self, connection: connection.tag("red")
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    harness.committer.hold()
    alice.say("swap")
    alice.say("more")
    harness.committer.commit_now()
    await harness.settle()
    assert alice.take() == ["swap to red", "more to red"]
    assert bob.take() == ["swap to red"]


async def test_179_a_connection_keeps_its_tags_over_a_sleep(harness: ObjectHarness) -> None:
    """A connection tells the tags it was given, also after the object slept."""
    seen: list[frozenset[str]] = []

    def message(_self: Hall, connection: Connection, text: str) -> None:
        if text == "change":
            connection.tag("a", "b", "a")
            connection.untag("b", "never")
        seen.append(connection.tags)

    Hall.hooks["message"] = message
    alice = await harness.connect("hall", "a")
    alice.say("change")
    await harness.rest("hall", "a")
    alice.say("show")
    await harness.settle()
    assert seen == [{"a"}, {"a"}]


async def test_180_an_attachment_is_a_copy_and_is_kept_over_a_sleep(
    harness: ObjectHarness,
) -> None:
    """An attachment is None at first, is a copy of what was attached, and outlives a sleep."""
    connection = a_connection()
    assert connection.attachment is None
    value = {"list": [1]}
    connection.attachment = value
    value["list"].append(2)
    first = connection.attachment
    assert first == {"list": [1]}
    assert connection.attachment is not first

    def message(self: Hall, connection: Connection, text: str) -> None:
        if text == "keep":
            connection.attachment = {"user": 7}
            connection.tag("kept")
        else:
            mine = self.ctx.connections("kept")
            connection.send(f"{mine[0].attachment} {mine[0] is connection}")

    Hall.hooks["message"] = message
    alice = await harness.connect("hall", "a")
    alice.say("keep")
    await harness.rest("hall", "a")
    assert asleep(harness)
    alice.say("show")
    await harness.settle()
    assert alice.take() == ["{'user': 7} True"]


def test_181_an_attachment_of_16_384_bytes_is_accepted_and_one_more_refused() -> None:
    """An attachment has at most 16,384 stored bytes; the error tells the size of a larger one."""
    connection = a_connection()
    connection.attachment = bytes(16_383)
    with pytest.raises(StorageRefused, match="16385 bytes"):
        connection.attachment = bytes(16_384)
    assert connection.attachment == bytes(16_383)


@pytest.mark.parametrize("raises", [False, True], ids=["heard", "raising"])
async def test_182_a_connection_that_is_over_carries_nothing_more(
    harness: ObjectHarness, raises: bool
) -> None:
    """Tags and attachment are there for `on_close` to read and gone after it."""
    kept: list[Connection] = []

    def connect(_self: Hall, connection: Connection) -> None:
        connection.tag("gone")
        connection.attachment = "who"

    def close(self: Hall, connection: Connection, *_how: object) -> None:
        kept.append(connection)
        assert (sorted(connection.tags), connection.attachment) == (["gone"], "who")
        assert self.ctx.connections("gone") == []
        if raises:
            raise RuntimeError("as asked")

    Hall.hooks.update(connect=connect, close=close)
    (await harness.connect("hall", "a")).leave()
    await harness.settle()
    assert len(told("close")) == 1
    assert (kept[0].tags, kept[0].attachment) == (frozenset(), None)


async def test_tags_and_attachments_are_undone_with_the_event_that_changed_them(
    harness: ObjectHarness,
) -> None:
    seen: list[tuple[frozenset[str], object]] = []

    def message(_self: Hall, connection: Connection, text: str) -> None:
        seen.append((connection.tags, connection.attachment))
        if text != "look":
            connection.tag(text)
            connection.attachment = text
        if text == "second":
            connection.untag("first")

    def request(self: Hall) -> None:
        (connection,) = self.ctx.connections()
        connection.tag("other", "more")
        connection.attachment = "other"
        raise RuntimeError("as asked")

    Hall.hooks.update(message=message, request=request)
    alice = await harness.connect("hall", "a")
    alice.say("first")
    alice.say("second")
    with pytest.raises(Exception, match="as asked"):
        await harness.request("hall", "a", Request())
    await harness.settle()
    alice.say("look")
    await harness.settle()
    assert seen == [
        (frozenset(), None),
        ({"first"}, "first"),
        ({"second"}, "second"),
    ]


async def test_what_stands_before_a_commit_point_is_not_undone(harness: ObjectHarness) -> None:
    async def request(self: Hall) -> None:
        (connection,) = self.ctx.connections()
        connection.attachment = "kept"
        await self.ctx.storage.sync()
        connection.attachment = "lost"
        raise RuntimeError("as asked")

    seen: list[object] = []
    Hall.hooks["request"] = request
    Hall.hooks["message"] = lambda _self, connection, _text: seen.append(connection.attachment)
    alice = await harness.connect("hall", "a")
    with pytest.raises(Exception, match="as asked"):
        await harness.request("hall", "a", Request())
    await harness.settle()
    alice.say("look")
    await harness.settle()
    assert seen == ["kept"]


class OverlappingHall(Hall):
    """The same with events that overlap, where nothing is undone."""

    interleave = True


async def test_where_events_overlap_what_one_that_raises_had_tagged_stays() -> None:
    hall.reset()
    seen: list[tuple[list[str], object]] = []

    def message(_self: Hall, connection: Connection, _text: str) -> None:
        connection.tag("kept")
        connection.attachment = "kept"
        raise RuntimeError("as asked")

    def close(_self: Hall, connection: Connection, *_how: object) -> None:
        seen.append((sorted(connection.tags), connection.attachment))

    Hall.hooks.update(message=message, close=close)
    async with ObjectHarness({"hall": OverlappingHall}) as harness:
        alice = await harness.connect("hall", "a")
        alice.say("x")
        await harness.settle()
        alice.leave(1011)
        await harness.settle()
    assert seen == [(["kept"], "kept")]
