"""Write rules: what a class allows, refuses and amends of what its clients propose."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from app.cluster.namespaces import make_mount
from app.core.errors import ConfigurationInvalid, StateroomError
from app.sdk import Connection
from app.testing.harness import ObjectHarness
from app.tinybase.bodies import CONTENT_DIFF
from app.tinybase.content import get_tables, get_values
from app.tinybase.large import LARGE_CHARS
from app.tinybase.news import Changes
from app.tinybase.tally import TALLY
from app.tinybase.verdicts import (
    ALLOW,
    Allow,
    Amend,
    ProposedChange,
    Refuse,
    RefusedChange,
    Verdict,
)
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, filled, hlc, values

DELETED = "\ufffc"


class Ruled(Editor):
    """Refuses what is `bad`, makes `damn` of what is `rude`, and writes down what it is asked."""

    asked: ClassVar[list[ProposedChange]] = []
    told: ClassVar[list[Changes]] = []
    refused: ClassVar[list[RefusedChange]] = []

    def authorize_table(self, connection: Connection, table_id: str) -> Allow | Refuse:
        del connection
        return Refuse("table") if table_id == "closed" else ALLOW

    def authorize_row(self, connection: Connection, table_id: str, row_id: str) -> Allow | Refuse:
        del connection, table_id
        return Refuse("row") if row_id == "closed" else ALLOW

    def authorize_change(self, connection: Connection, change: ProposedChange) -> Verdict:
        del connection
        Ruled.asked.append(change)
        if "rude" in str(change.new):
            return Amend(str(change.new).replace("rude", "damn"))
        return Refuse("bad") if "bad" in str(change.new) else Allow()

    def on_changes(self, changes: Changes) -> None:
        Ruled.told.append(changes)

    def on_refused(self, connection: Connection, refused: Sequence[RefusedChange]) -> None:
        del connection
        Ruled.refused.extend(refused)


class Strict(Ruled):
    refuses_whole_messages = True


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    for each in (Ruled.asked, Ruled.told, Ruled.refused):
        each.clear()


async def settled(harness: ObjectHarness, *peers: ThinkingPeer) -> None:
    """Let everybody talk until every correction is made."""
    for _ in range(3):
        await talk(harness, *peers)
        harness.clock.advance(1.0)
    await talk(harness, *peers)


async def assert_equal(harness: ObjectHarness, *peers: ThinkingPeer) -> None:
    tables, its_values, hashes = await edit(
        harness, lambda room: (room.get_tables(), room.get_values(), room._replica.content_hashes())
    )
    for peer in peers:
        assert get_tables(peer.replica) == tables
        assert get_values(peer.replica) == its_values
        assert peer.replica.content_hashes() == hashes


def mixed() -> list[Any]:
    """Something good, bad and rude at every level."""
    row = [{"a": ["good", hlc(5)], "b": ["bad", hlc(5)], "c": ["rude", hlc(5)]}]
    tables = {"t": [{"r": row, "closed": [{"a": ["x", hlc(5)]}]}], "closed": [{"r": row}]}
    return [[tables], [{"v": ["good", hlc(5)], "w": ["bad", hlc(5)]}], 1]


@pytest.mark.parametrize("offline", [False, True])
async def test_each_cell_and_value_has_its_verdict_and_all_end_equal(*, offline: bool) -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        other, recorder = await ThinkingPeer.join(harness), await Peer.join(harness)
        other.change(cells("t", "r", {"b": ["kept", hlc(1)]}))
        await settled(harness, other)
        recorder.take()
        if offline:
            author = await ThinkingPeer.join(harness, filled(mixed()))
        else:
            author = await ThinkingPeer.join(harness)
            await settled(harness, author)
            author.change(mixed())
        await settled(harness, author, other)
        assert get_tables(author.replica) == {"t": {"r": {"a": "good", "b": "kept", "c": "damn"}}}
        assert get_values(author.replica) == {"v": "good"}
        await assert_equal(harness, author, other)
        heard = str(recorder.take())
        assert ("good" in heard, "damn" in heard) == (True, True)
        assert not [word for word in ("bad", "rude", "'x'") if word in heard]


async def test_what_is_left_of_a_message_is_passed_on_as_its_senders() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author, other = await Peer.join(harness), await Peer.join(harness)
        other.take()
        change = cells("t", "r", {"a": ["good", hlc(5)], "b": ["bad", hlc(5)]})
        author.tell(CONTENT_DIFF, change, request_id="mine")
        await harness.settle()
        (passed,) = [frame for frame in other.take() if frame.sender == author.id]
        assert (passed.id, passed.body) == ("mine", cells("t", "r", {"a": ["good", hlc(5)]}))


async def test_what_is_all_allowed_is_passed_on_as_it_came() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author, other = await Peer.join(harness), await Peer.join(harness)
        other.take()
        frame = f'\n["T", 3,[ [{{"t":[{{"r":[{{"c":[1.0,"{hlc(5)}"]}}]}}]}}],[{{}}],1]]'
        author.socket.say(frame)
        await harness.settle()
        assert other.socket.take() == [f"{author.id}{frame}"]


async def test_a_rule_sees_what_was_and_what_is_to_be() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author = await Peer.join(harness)
        author.tell(CONTENT_DIFF, cells("t", "r", {"c": ["\ufffd[1]", hlc(1)]}))
        author.tell(CONTENT_DIFF, cells("t", "r", {"c": [DELETED, hlc(2)]}))
        author.tell(CONTENT_DIFF, values({"v": [None, hlc(1)]}))
        await harness.settle()
        assert Ruled.asked == [
            ProposedChange(
                table_id="t", row_id="r", cell_id="c", old=None, new=[1], added=True, deleted=False
            ),
            ProposedChange(
                table_id="t", row_id="r", cell_id="c", old=[1], new=None, added=False, deleted=True
            ),
            ProposedChange(value_id="v", old=None, new=None, added=True, deleted=False),
        ]


@pytest.mark.parametrize(
    "unasked",
    [values({"v": [1, hlc(3)]}), values({"v": [2, hlc(9)]}), values({"v": [2.0, hlc(9)]})],
    ids=["loses", "the same", "the same double"],
)
async def test_a_rule_is_not_asked_about_what_changes_nothing(unasked: list[Any]) -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author = await Peer.join(harness)
        author.tell(CONTENT_DIFF, values({"v": [2, hlc(5)]}))
        Ruled.asked.clear()
        author.tell(CONTENT_DIFF, unasked)
        await harness.settle()
        assert Ruled.asked == []


async def test_a_client_that_loses_is_not_passed_on_either() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author, other = await Peer.join(harness), await Peer.join(harness)
        author.tell(CONTENT_DIFF, values({"v": [2, hlc(5)]}))
        await harness.settle()
        other.take()
        author.tell(CONTENT_DIFF, values({"v": ["bad", hlc(3)]}))
        await harness.settle()
        assert other.take() == []


async def test_who_refuses_whole_messages_takes_nothing_of_a_bad_one() -> None:
    async with ObjectHarness(mounted(Strict)) as harness:
        author, other = await ThinkingPeer.join(harness), await ThinkingPeer.join(harness)
        await settled(harness, author, other)
        author.change(mixed())
        author.change(cells("t", "s", {"c": ["good", hlc(6)]}))
        await settled(harness, author, other)
        assert get_tables(author.replica) == {"t": {"s": {"c": "good"}}}
        await assert_equal(harness, author, other)


async def test_the_author_of_a_class_hears_what_was_taken_and_what_was_refused() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author = await Peer.join(harness)
        before = (TALLY.refused, TALLY.amended)
        author.tell(CONTENT_DIFF, mixed())
        await harness.settle()
        (told,) = Ruled.told
        assert told.client_id == author.id
        assert [row.new for row in told.rows] == [{"a": "good", "c": "damn"}]
        assert [(each.change.table_id, each.reason) for each in Ruled.refused] == [
            ("t", "bad"),
            ("t", "row"),
            *[("closed", "table")] * 3,
            ("", "bad"),
        ]
        assert (TALLY.refused, TALLY.amended) == (before[0] + 6, before[1] + 1)


async def test_a_large_message_is_judged_like_a_small_one() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        author, other = await ThinkingPeer.join(harness), await ThinkingPeer.join(harness)
        await settled(harness, author, other)
        rows = {
            f"{number}": [{"c": [("bad" if number % 2 else "good") * 30, hlc(5)]}]
            for number in range(2_000)
        }
        change = [[{"t": [rows]}], [{}], 1]
        assert len(str(change)) > LARGE_CHARS
        author.change(change)
        await settled(harness, author, other)
        assert len(get_tables(author.replica)["t"]) == 1_000
        await assert_equal(harness, author, other)


async def test_default_content_that_is_refused_is_left_with_its_client() -> None:
    async with ObjectHarness(mounted(Ruled)) as harness:
        default = cells("t", "r", {"a": ["bad"], "b": ["good"]})
        author = await ThinkingPeer.join(harness, filled(default))
        other = await ThinkingPeer.join(harness)
        await settled(harness, author, other)
        assert get_tables(other.replica) == {"t": {"r": {"b": "good"}}}
        other.change(cells("t", "r", {"a": ["written", hlc(1)]}))
        await settled(harness, author, other)
        await assert_equal(harness, author, other)


class Raising(Editor):
    def authorize_change(self, connection: Connection, change: ProposedChange) -> Verdict:
        raise ValueError(connection.id, change.value_id)


async def test_a_rule_that_raises_takes_nothing_and_closes_that_client() -> None:
    async with ObjectHarness(mounted(Raising)) as harness:
        author, other = await Peer.join(harness), await Peer.join(harness)
        author.tell(CONTENT_DIFF, values({"v": [1, hlc(1)]}))
        await harness.settle()
        assert author.socket.closed is not None
        assert other.socket.closed is None
        assert await edit(harness, lambda room: room.get_values()) == {}


class Later(Editor):
    async def authorize_change(  # type: ignore[override]  # that is the mistake
        self, connection: Connection, change: ProposedChange
    ) -> Verdict:
        del connection, change
        return ALLOW


@pytest.mark.parametrize(
    ("cls", "options", "told"),
    [(Later, {}, "plain function"), (Ruled, {"sync": "relay"}, "sync=hub")],
)
def test_what_cannot_work_is_refused_at_the_start(
    cls: type[Editor], options: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationInvalid, match=told):
        mounted(cls, **options)


async def test_rules_need_a_content_of_the_rooms_own() -> None:
    mount = {"room": make_mount("room", Ruled, {"durability": "none"})}
    async with ObjectHarness(mount) as harness:
        with pytest.raises(StateroomError):
            await edit(harness, lambda room: room)
