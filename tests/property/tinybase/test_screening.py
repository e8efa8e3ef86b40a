"""Any mix of writers, readers and rules ends with one content, and nobody saw what was refused."""

import asyncio
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from app.sdk import Connection
from app.testing.harness import ObjectHarness
from app.tinybase.clock import encode_hlc
from app.tinybase.content import get_tables, get_values
from app.tinybase.verdicts import Allow, Amend, ProposedChange, Refuse, Verdict
from tests.unit.tinybase.editor import Editor, edit
from tests.unit.tinybase.peers import Peer, ThinkingPeer, mounted, talk
from tests.unit.tinybase.replicas import cells, replica, values

few = settings(deadline=None, max_examples=40)

WRITER, READER, AWAY = "writer", "reader", "away"


class Room(Editor):
    """Refuses `bad` and amends `odd`; the clients that come while `reading` may only read."""

    reading: ClassVar[bool] = False
    readers: ClassVar[set[str]] = set()

    def may_write(self, connection: Connection) -> bool:
        if Room.reading:
            Room.readers.add(connection.id)
        return connection.id not in Room.readers

    def authorize_change(self, connection: Connection, change: ProposedChange) -> Verdict:
        del connection
        if isinstance(change.new, str) and change.new.startswith("odd"):
            return Amend("even")
        return Refuse() if str(change.new).startswith("bad") else Allow()


WORDS = st.sampled_from(["good", "fine", "bad", "odd", "\ufffc"])
PLACES = st.sampled_from([("t", "r", "c"), ("t", "r", "d"), ("t", "s", "c"), ("v",), ("w",)])
STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),  # who
        PLACES,
        WORDS,
        st.integers(-3, 40),  # how far its clock is ahead, in seconds
        st.booleans(),  # whether everybody talks then
    ),
    max_size=14,
)


def change_at(place: tuple[str, ...], value: str, hlc: str) -> list[Any]:
    if len(place) == 1:
        return values({place[0]: [value, hlc]})
    return cells(place[0], place[1], {place[2]: [value, hlc]})


async def _session(steps: list[Any]) -> None:
    Room.readers.clear()
    async with ObjectHarness(mounted(Room)) as harness:
        peers: list[ThinkingPeer] = []
        for number in range(3):
            Room.reading = number == 2
            peers.append(await ThinkingPeer.join(harness))
        Room.reading = False
        recorder = await Peer.join(harness)
        await talk(harness, *peers)
        away = replica()  # a reader's copy that comes back at the end
        start = await edit(harness, lambda room: room.ctx.now())
        for number, (who, place, word, seconds, talks) in enumerate(steps):
            stamp = encode_hlc(start + seconds * 1000 + number, number, f"----{who}")
            text = word if word == "\ufffc" else f"{word} of {who}"
            change = change_at(place, text, stamp)
            if who == 3:
                away.apply(change, start)
            else:
                peers[who].change(change)
            if talks:
                await talk(harness, *peers)
        Room.reading = True
        peers.append(await ThinkingPeer.join(harness, away))
        Room.reading = False
        for _ in range(60):
            await talk(harness, *peers)
            harness.clock.advance(1.0)
        await talk(harness, *peers)
        tables, its_values, hashes = await edit(
            harness,
            lambda room: (room.get_tables(), room.get_values(), room._replica.content_hashes()),
        )
        for peer in peers:
            assert get_tables(peer.replica) == tables
            assert get_values(peer.replica) == its_values
            assert peer.replica.content_hashes() == hashes
        heard = str(recorder.take())
        assert not [word for word in ("bad", "odd", "of 2", "of 3") if word in heard], (
            "a refused change was told"
        )


@few
@given(STEPS)
def test_all_end_equal_and_nobody_sees_what_was_refused(steps: list[Any]) -> None:
    asyncio.run(_session(steps))
