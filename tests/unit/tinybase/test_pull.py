from typing import Any

import pytest

from app.sdk.json import parse_json
from app.tinybase.answers import answer
from app.tinybase.bodies import GET_CONTENT_HASHES
from app.tinybase.content import export_content
from app.tinybase.pull import TRANSITIONS, Pull, PullState, Question
from app.tinybase.refusals import Malformed
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import NOW, cells, filled, hlc, replica, values
from tests.unit.tinybase.test_answers import CASES, imported


def asked_of(peer: Replica, question: Question) -> Any:
    if question.kind == GET_CONTENT_HASHES:
        return list(peer.content_hashes())
    return parse_json(answer(peer, question.kind, parse_json(question.body)).body())


def pulled(me: Replica, peer: Replica, theirs: list[float] | None) -> list[int]:
    """Pull everything; return the kinds of the questions."""
    pull = Pull(me, theirs)
    kinds = []
    question = pull.begin()
    while question is not None:
        kinds.append(question.kind)
        question = pull.answered(asked_of(peer, question))
    assert pull.state is PullState.DONE
    assert me.apply(pull.changes(), NOW) is not None
    return kinds


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("told", [True, False], ids=["hashes announced", "hashes asked for"])
def test_two_replicas_that_pull_from_each_other_are_equal(case: dict[str, Any], told: bool) -> None:
    me, other = imported(case["me"]), imported(case["other"])
    pulled(me, other, list(other.content_hashes()) if told else None)
    pulled(other, me, list(me.content_hashes()) if told else None)
    assert export_content(me) == export_content(other)


def test_equal_hashes_ask_nothing() -> None:
    me = filled(cells("t", "r", {"c": [1, hlc(1)]}))
    assert pulled(me, me, list(me.content_hashes())) == []
    assert pulled(me, me, None) == [1]


def test_only_what_differs_is_asked_for() -> None:
    shared = [cells("t", "r", {"a": [1, hlc(1)]}), values({"v": [1, hlc(1)]})]
    same_tables = filled(*shared, values({"w": [1, hlc(1)]}))
    assert pulled(filled(*shared), same_tables, list(same_tables.content_hashes())) == [7]
    new_table = filled(*shared, cells("u", "r", {"a": [1, hlc(1)]}))
    assert pulled(filled(*shared), new_table, list(new_table.content_hashes())) == [4]
    new_row = filled(*shared, cells("t", "s", {"a": [1, hlc(1)]}))
    assert pulled(filled(*shared), new_row, list(new_row.content_hashes())) == [4, 5]
    new_cell = filled(*shared, cells("t", "r", {"b": [1, hlc(1)]}))
    assert pulled(filled(*shared), new_cell, list(new_cell.content_hashes())) == [4, 5, 6]


def test_container_stamps_are_pulled_too() -> None:
    peer = filled([[{"t": [{"r": [{"c": [1]}, hlc(1)]}, hlc(2)]}, hlc(3)], [{"v": [1]}, hlc(4)], 1])
    me = filled([[{"t": [{"r": [{"d": [1]}]}]}, hlc(1)], [{}], 1])
    pulled(peer, me, list(me.content_hashes()))
    pulled(me, peer, list(peer.content_hashes()))
    assert me.content_hashes() == peer.content_hashes()


@pytest.mark.parametrize("body", [[1, 2], [{}], [{}, {}], [[{}], {"t": {"r": 1}}], 5, None, ""])
def test_an_answer_to_another_question_ends_the_pull(body: Any) -> None:
    pull = Pull(replica(), [1, 1])
    pull.begin()
    with pytest.raises(Malformed):
        pull.answered(body)


def test_a_pull_that_is_over_takes_no_answer() -> None:
    pull = Pull(replica(), [0, 0])
    assert pull.begin() is None
    with pytest.raises(Malformed):
        pull.answered([1, 1])


def test_a_move_that_is_not_in_the_table_is_refused() -> None:
    pull = Pull(replica(), [0, 0])
    pull.begin()
    with pytest.raises(RuntimeError, match="cannot go"):
        pull.begin()


def test_every_state_has_its_transitions_and_ends() -> None:
    assert set(TRANSITIONS) == set(PullState)
    assert all(PullState.NEW not in following for following in TRANSITIONS.values())
    assert TRANSITIONS[PullState.DONE] == frozenset()
