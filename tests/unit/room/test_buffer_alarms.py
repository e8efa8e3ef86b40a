"""Alarms in the layers of the buffer, and committed ones that are remembered."""

import random

import pytest

from app.core.clock import DatabaseClock
from app.core.ids import ObjectId
from app.core.values import NO_ALARMS, Alarm
from app.room.alarms import RoomAlarms
from app.room.buffer import DELETED, UNKNOWN, Layer, WriteBuffer
from app.room.known_alarms import KnownAlarms
from app.testing.memory import MemoryObjectStore
from tests.unit.room.benches import LaneBench


def at(due_ms: int) -> Alarm:
    return Alarm(due_ms=due_ms, next_attempt_ms=due_ms)


def test_a_look_up_finds_the_newest_through_all_layers() -> None:
    buffer = WriteBuffer()
    assert buffer.lookup_alarm("") is UNKNOWN
    buffer.top.set_alarm("", at(1))
    buffer.seal()
    buffer.freeze()
    assert buffer.lookup_alarm("") == at(1)
    buffer.top.set_alarm("", None)
    buffer.seal()
    assert buffer.lookup_alarm("") is DELETED
    buffer.top.set_alarm("", at(2))
    assert buffer.lookup_alarm("") == at(2)
    assert buffer.lookup_alarm("other") is UNKNOWN
    buffer.discard()
    assert buffer.lookup_alarm("") is DELETED


def test_an_alarm_alone_is_something_to_commit() -> None:
    buffer = WriteBuffer()
    buffer.top.set_alarm("", at(1))
    assert not buffer.clean
    assert not buffer.seal(), "it asked for no confirmation"
    assert buffer.dirty
    layer = buffer.freeze()
    assert layer is not None
    assert (layer.entries, layer.alarms) == ({}, {"": at(1)})


def test_a_wipe_hides_alarms_below_it_and_stays_in_the_batch() -> None:
    buffer = WriteBuffer()
    buffer.top.set_alarm("", at(1))
    buffer.top.set_alarm("tidy", at(2))
    buffer.seal()
    buffer.top.wipe()
    assert buffer.lookup_alarm("") is DELETED
    buffer.top.set_alarm("tidy", at(3))
    buffer.seal()
    layer = buffer.freeze()
    assert layer is not None
    assert (layer.wiped, layer.alarms) == (True, {"tidy": at(3)})


class Pair:
    """A buffer, and what it ought to say as plain dicts."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.buffer = WriteBuffer()
        self.committed: dict[str, Alarm] = {}
        self.model: dict[str, Alarm] = {}
        self.before_unit: dict[str, Alarm] = {}
        self.before_transaction: dict[str, Alarm] | None = None
        self.number = 0

    def set(self) -> None:
        self.number += 1
        name = self.chance.choice("abc")
        self.model[name] = at(self.number)
        self.buffer.top.set_alarm(name, self.model[name])

    def delete(self) -> None:
        name = self.chance.choice("abc")
        self.model.pop(name, None)
        self.buffer.top.set_alarm(name, None)

    def wipe(self) -> None:
        if self.before_transaction is None:
            self.model.clear()
            self.buffer.top.wipe()

    def transact(self) -> None:
        if self.before_transaction is None:
            self.before_transaction = dict(self.model)
            self.buffer.savepoint()
            return
        if self.chance.random() < 0.5:
            self.buffer.rollback(1)
            self.model = self.before_transaction
        self.buffer.keep(1)
        self.before_transaction = None

    def end_unit(self) -> None:
        if self.before_transaction is not None:
            return
        if self.chance.random() < 0.3:
            self.buffer.discard()
            self.model = dict(self.before_unit)
        else:
            self.buffer.seal()
            self.before_unit = dict(self.model)

    def commit(self) -> None:
        if not self.buffer.in_flight:
            self.buffer.freeze()
            return
        layer = self.buffer.confirm()
        if layer.wiped:
            self.committed.clear()
        for name, alarm in (layer.alarms or {}).items():
            self.committed.pop(name, None)
            if alarm is not None:
                self.committed[name] = alarm

    def check(self) -> None:
        for name in "abc":
            found = self.buffer.lookup_alarm(name)
            seen = self.committed.get(name) if found is UNKNOWN else found
            assert (None if seen is DELETED else seen) == self.model.get(name)


@pytest.mark.parametrize("seed", range(30))
def test_layers_agree_with_a_plain_dict_whatever_is_done(seed: int) -> None:
    pair = Pair(seed)
    steps = [pair.set, pair.set, pair.delete, pair.wipe, pair.transact, pair.end_unit, pair.commit]
    for _ in range(300):
        pair.chance.choice(steps)()
        pair.check()


def test_what_is_committed_is_remembered_and_told() -> None:
    told: list[int] = []
    known = KnownAlarms(told.append)
    layer = Layer()
    layer.set_alarm("a", at(5))
    layer.set_alarm("b", None)
    layer.set_alarm("c", Alarm(due_ms=6, next_attempt_ms=None))
    known.absorb(layer)
    assert known.lookup("a") == at(5)
    assert known.lookup("b") is None
    assert known.lookup("other") is UNKNOWN
    assert told == [5]
    wiping = Layer()
    wiping.wipe()
    known.absorb(wiping)
    assert known.lookup("a") is None


def test_a_read_that_a_commit_has_overtaken_is_not_kept() -> None:
    known = KnownAlarms(lambda _ms: None)
    generation = known.generation
    layer = Layer()
    layer.set_alarm("a", at(5))
    known.absorb(layer)
    known.remember("a", None, generation=generation)
    assert known.lookup("a") == at(5)
    known.remember("b", at(6), generation=known.generation)
    assert known.lookup("b") == at(6)


async def test_an_alarm_that_is_committed_while_it_is_read_is_found_all_the_same() -> None:
    bench = await LaneBench().open()
    bench.in_event = True

    class Overtaken(MemoryObjectStore):
        reads = 0

        async def alarm(self, object_id: ObjectId, name: str) -> Alarm | None:
            found = await super().alarm(object_id, name)
            self.reads += 1
            if self.reads == 1:
                bench.committer.commit_now()
            return found

    store = Overtaken(bench.database)
    alarms = RoomAlarms(bench.lane, store, _clock(bench), heard=True, unit_bytes=1 << 20)
    bench.lane.buffer.top.set_alarm("other", at(1))
    bench.end_unit()
    assert await alarms.find("") is None
    assert store.reads == 2
    assert bench.alarms_set == [1]


async def test_a_batch_without_alarms_carries_none() -> None:
    bench = await LaneBench().open()
    bench.in_event = True
    bench.put("a")
    bench.end_unit()
    bench.committer.commit_now()
    assert bench.committer.committed[0].alarms is NO_ALARMS


def _clock(bench: LaneBench) -> DatabaseClock:
    return DatabaseClock(bench.clock)
