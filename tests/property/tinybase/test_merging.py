from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.sdk.json import dump_json, parse_json
from app.tinybase.content import export_content
from app.tinybase.former import Former
from app.tinybase.pull import Pull
from app.tinybase.replica import Replica
from tests.property.tinybase.naive_replica import NaiveReplica
from tests.property.tinybase.strategies import CHANGES, CLIENT_CHANGES, NOW, unhurried
from tests.unit.tinybase.replicas import Disk, replica
from tests.unit.tinybase.test_pull import asked_of

SEQUENCES = st.lists(CHANGES, max_size=8)
CLIENT_SEQUENCES = st.lists(CLIENT_CHANGES, max_size=8)


def as_received(changes: Any) -> Any:
    return parse_json(dump_json(changes))


def merged(sequence: list[Any]) -> Replica:
    made = replica()
    for changes in sequence:
        assert made.apply(as_received(changes), NOW) is not None
    return made


@unhurried
@given(SEQUENCES)
def test_a_replica_is_the_naive_one_after_every_change(sequence: list[Any]) -> None:
    real, naive = replica(), NaiveReplica()
    for changes in sequence:
        assert real.apply(as_received(changes), NOW) is not None
        naive.apply(as_received(changes))
        assert export_content(real) == naive.content()


@unhurried
@given(SEQUENCES)
def test_a_replica_asked_only_at_the_end_is_the_naive_one(sequence: list[Any]) -> None:
    naive = NaiveReplica()
    for changes in sequence:
        naive.apply(as_received(changes))
    assert export_content(merged(sequence)) == naive.content()


@unhurried
@given(SEQUENCES)
def test_a_replica_loaded_before_every_change_is_the_naive_one(sequence: list[Any]) -> None:
    disk, naive = Disk(), NaiveReplica()
    for changes in sequence:
        applied = disk.loaded().apply(as_received(changes), NOW)
        assert applied is not None
        disk.write(applied.entries)
        naive.apply(as_received(changes))
    assert as_received(export_content(disk.loaded())) == as_received(naive.content())


@unhurried
@given(CLIENT_SEQUENCES, st.data())
def test_changes_in_any_order_and_twice_give_the_same_content(
    sequence: list[Any], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(sequence + sequence[:3]))
    first, second = merged(sequence), merged(list(shuffled))
    assert first.content_hashes() == second.content_hashes()
    assert export_content(first) == export_content(second)


@unhurried
@given(CLIENT_SEQUENCES)
def test_what_has_won_is_what_another_replica_needs(sequence: list[Any]) -> None:
    source, follower = replica(), replica()
    for changes in sequence:
        former = Former()
        assert source.apply(deepcopy(changes), NOW, former=former) is not None
        won, values = source.altered_since(former)
        tables = {
            table_id: [{row_id: [cells] for row_id, cells in rows.items()}]
            for table_id, rows in won.items()
        }
        follower.apply(as_received([[tables], [values], 1]), NOW)
        assert follower.content_hashes() == source.content_hashes()


@unhurried
@given(CLIENT_SEQUENCES, CLIENT_SEQUENCES)
def test_replicas_that_pull_from_each_other_become_equal(one: list[Any], two: list[Any]) -> None:
    first, second = merged(one), merged(two)
    for me, peer in ((first, second), (second, first)):
        pull = Pull(me, list(peer.content_hashes()))
        question = pull.begin()
        while question is not None:
            question = pull.answered(asked_of(peer, question))
        assert me.apply(pull.changes(), NOW) is not None
    assert first.content_hashes() == second.content_hashes()
    assert export_content(first) == export_content(second)
