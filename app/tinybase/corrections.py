"""Taking a refused change back: the room's own content again, under a newer stamp.

A client that has a change of its own gives it up for nothing but a newer one. So the place of a
refused change is written again, with the value that is there, or as deleted where there is none;
this is a change like any other, stored and told to everybody, and all hashes agree again. Private
corrections would not do: whoever writes there next may have an older stamp than the correction,
and would be seen by all but that one client.

What that costs is bounded. Corrections are made one lot at a time, at most `LOT_PLACES` places,
with a pause behind each that grows with its bytes; what is refused meanwhile waits, each place
once. A place that never held anything costs a row or a cell for ever: one client may cause
`NEW_PLACES_A_CLIENT` of them, all clients together `NEW_PLACES_A_ROOM`; these have a writer of
their own in their stamps, by which they are counted. Whoever goes further is sent away.

A stamp ahead of the wall time is not followed at once, or a client that may not write would set
the clocks of all others forward: its client alone is corrected at once, the room when the time
has come.
"""

from collections.abc import Mapping
from typing import Final

from ..sdk.json import UNDEFINED
from .clock import MAX_DRIFT_MS, Clock, decode_hlc, encode_hlc, writer_of
from .replica import Replica
from .screening import LeafReader, Place
from .stamps import Leaf, hlc_of

NEW_PLACES_A_CLIENT: Final = 1_000
NEW_PLACES_A_ROOM: Final = 4_096
PLACE_CHARS: Final = 1_024
"""The ids of a place that never held anything may have so many characters together."""

WAITING_PLACES: Final = 10_000
"""So many places may wait for their correction."""

LOT_PLACES: Final = 1_000
LOT_PAUSE_SECONDS: Final = 0.1
LOT_BYTES_A_SECOND: Final = 1 << 20
LONGEST_PAUSE_SECONDS: Final = 10.0
AHEAD_MS: Final = 5_000
"""A stamp further ahead of the wall time than this is not followed at once."""

TOO_MUCH: Final = (1008, "too many refused changes")
"""How the socket of a client is closed that has gone too far."""

_WRITER: Final = writer_of("refused")
_LONE: Final = f'{_WRITER}"]'.encode()
_WRITER_CHARS: Final = len(_WRITER)
_COUNTER_END: Final = 1 << 24
_TIME_END: Final = 1 << 42


class Corrections:
    """What waits to be corrected, and who has caused how much."""

    __slots__ = ("_lone", "_new_by_client", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[Place, str] = {}
        self._new_by_client: dict[str, int] = {}
        self._lone: int | None = None

    def note(self, replica: Replica, client: str, refused: Mapping[Place, str]) -> bool:
        """Take note of the stamps that must be beaten; False, and nothing noted, if too many."""
        waiting = self._waiting
        fresh = [place for place in refused if place not in waiting]
        if len(waiting) + len(fresh) > WAITING_PLACES:
            return False
        read = LeafReader(replica)
        new = [place for place in fresh if read.at(place) is None]
        if new and not self._may_make(replica, client, new):
            return False
        for place, hlc in refused.items():
            waiting[place] = max(hlc, waiting.get(place, ""))
        return True

    def forget(self, client: str) -> None:
        """The client is gone."""
        self._new_by_client.pop(client, None)

    def lot(self, replica: Replica, now_ms: int) -> dict[Place, Leaf]:
        """Take what is due next; return the leaves to be written."""
        leaves: dict[Place, Leaf] = {}
        read = LeafReader(replica)
        for place, hlc in list(self._waiting.items()):
            if len(leaves) == LOT_PLACES:
                break
            if decode_hlc(hlc)[0] <= now_ms + AHEAD_MS:
                del self._waiting[place]
                leaf = _correction(replica.clock, read.at(place), hlc, now_ms)
                if leaf is not None:
                    leaves[place] = leaf
        return leaves

    def seconds_to_next(self, now_ms: int) -> float | None:
        """How long until something is due; None when nothing waits."""
        if not self._waiting:
            return None
        first = min(self._waiting.values())
        return max(0.0, (decode_hlc(first)[0] - AHEAD_MS - now_ms) / 1000)

    def _may_make(self, replica: Replica, client: str, new: list[Place]) -> bool:
        if self._lone is None:
            self._lone = _lone_places(replica)
        mine = self._new_by_client.get(client, 0) + len(new)
        if (
            mine > NEW_PLACES_A_CLIENT
            or self._lone + len(new) > NEW_PLACES_A_ROOM
            or any(sum(map(len, place)) > PLACE_CHARS for place in new)
        ):
            return False
        self._new_by_client[client] = mine
        self._lone += len(new)
        return True


def pause_after(size: int) -> float:
    """How long to wait after a lot of so many bytes."""
    return min(LOT_PAUSE_SECONDS + size / LOT_BYTES_A_SECOND, LONGEST_PAUSE_SECONDS)


def ahead(
    replica: Replica, refused: Mapping[Place, str], now_ms: int, unseen: set[Place]
) -> tuple[dict[Place, Leaf], dict[Place, str]]:
    """Sort out the stamps that are ahead of the time.

    Returns:
        The leaves for the one client that is corrected at once, and the stamps that the room has
        to beat, now or later. What nobody else would believe, the room does not follow at all.
    """
    read = LeafReader(replica)
    alone: dict[Place, Leaf] = {}
    stamps: dict[Place, str] = {}
    for place, hlc in refused.items():
        time = decode_hlc(hlc)[0]
        if time > now_ms + AHEAD_MS and place not in unseen:
            following = _following(hlc)
            if following:
                mine = read.at(place)
                alone[place] = [UNDEFINED if mine is None else mine[0], following]
                hlc = following  # noqa: PLW2901 - what the client has from now on
        if time <= now_ms + MAX_DRIFT_MS - AHEAD_MS:
            stamps[place] = hlc
    return alone, stamps


def _following(hlc: str) -> str:
    """The stamp right behind another one, of the same writer; empty when there is none."""
    time, counter, writer = decode_hlc(hlc)
    counter += 1
    if counter == _COUNTER_END:
        time, counter = time + 1, 0
    return encode_hlc(time, counter, writer) if time < _TIME_END else ""


def _correction(clock: Clock, mine: Leaf | None, hlc: str, now_ms: int) -> Leaf | None:
    """What to write so that a refused stamp is beaten; None when something newer is there."""
    stored = "" if mine is None else hlc_of(mine)
    if stored >= hlc:
        return None
    clock.seen(hlc, now_ms)
    stamp = clock.next(now_ms)
    if mine is None or (mine[0] == UNDEFINED and stored.endswith(_WRITER)):
        return [UNDEFINED, stamp[:-_WRITER_CHARS] + _WRITER]
    return [mine[0], stamp]


def _lone_places(replica: Replica) -> int:
    """How many places hold nothing but a correction, rows counted as they lie in memory."""
    count = 0
    for table in replica.tables.values():
        count += sum(row.count(_LONE) for row in table.rows.values())
    for leaf in replica.values.leaves.values():
        count += leaf[0] == UNDEFINED and hlc_of(leaf).endswith(_WRITER)
    return count
