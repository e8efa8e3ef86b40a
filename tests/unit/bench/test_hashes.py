"""The hashes that late joiners expect are those of a replica that merged the same."""

import orjson

from app.tinybase.clock import Clock
from app.tinybase.replica import Replica
from bench.hashes import content_hashes
from bench.hlc import HlcClock
from bench.messages import Cells, Change, many_rows, one_cell


def replica_of(changes: list[Change]) -> Replica:
    replica = Replica(Clock("-----"))
    for change in changes:
        replica.merge(orjson.loads(change.remainder)[2])
    return replica


def test_they_are_those_of_a_replica() -> None:
    clock = HlcClock()
    changes = [many_rows(0, 5, "a----", clock), many_rows(5, 3, "b----", clock)]
    changes += [one_cell(number, 8, "c----", clock) for number in range(30)]
    cells: Cells = {}
    for change in changes:
        cells |= change.cells
    assert tuple(content_hashes(cells)) == replica_of(changes).content_hashes()
    del cells["r3", "c1"]
    assert tuple(content_hashes(cells)) != replica_of(changes).content_hashes()


def test_an_empty_room_has_none() -> None:
    assert content_hashes({}) == [0, 0]
