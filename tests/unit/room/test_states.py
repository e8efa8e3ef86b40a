"""The table of a room's life: what it lists is allowed, everything else raises."""

import itertools

import pytest

from app.room.states import (
    CLOSED_STATES,
    LEAVING_STATES,
    TRANSITIONS,
    IllegalTransition,
    RoomState,
    move,
)

_ALL = list(itertools.product(RoomState, RoomState))
_LEGAL = [(before, after) for before, after in _ALL if after in TRANSITIONS[before]]
_ILLEGAL = [pair for pair in _ALL if pair not in _LEGAL]


@pytest.mark.parametrize(("before", "after"), _LEGAL)
def test_a_move_of_the_table_is_made(before: RoomState, after: RoomState) -> None:
    assert move(before, after) is after


@pytest.mark.parametrize(("before", "after"), _ILLEGAL)
def test_a_move_that_the_table_does_not_list_raises(before: RoomState, after: RoomState) -> None:
    with pytest.raises(IllegalTransition, match=f"from {before.name} to {after.name}"):
        move(before, after)


def test_every_state_has_a_line_in_the_table() -> None:
    assert TRANSITIONS.keys() == set(RoomState)


def test_every_state_but_the_last_can_be_aborted_and_nothing_follows_the_last() -> None:
    for state in RoomState:
        alive = state not in CLOSED_STATES
        assert (RoomState.ABORTED in TRANSITIONS[state]) is alive
    assert TRANSITIONS[RoomState.GONE] == frozenset()


def test_every_state_leads_to_the_end_and_none_leads_back_from_leaving() -> None:
    reached = {RoomState.GONE}
    while True:
        more = {state for state in RoomState if TRANSITIONS[state] & reached} | reached
        if more == reached:
            break
        reached = more
    assert reached == set(RoomState)
    for state in LEAVING_STATES:
        assert TRANSITIONS[state] <= LEAVING_STATES
