"""Every move of a room's state table, with something happening at every await on the way.

One scenario for each edge. It is run once undisturbed, which counts its steps and proves that it
takes the edge; then again for each step n, with a message, a newcomer, a request, a goodbye, a
pause longer than the lease, a second departure or a move just before the n-th step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
import structlog

from app.core.errors import RoomAborted
from app.core.values import CommitResult
from app.room import life
from app.room.states import TRANSITIONS, RoomState
from app.room.states import move as move_by_the_table
from tests.unit.room.ledger_stage import Ledger, LedgerStage, PlainLedger
from tests.unit.room.stepping import SteppingLoop

LOADING, ACTIVE, HIBERNATED = RoomState.LOADING, RoomState.ACTIVE, RoomState.HIBERNATED
EVICTING, DRAINING = RoomState.EVICTING, RoomState.DRAINING
ABORTED, GONE = RoomState.ABORTED, RoomState.GONE
Edge = tuple[RoomState, RoomState]
Act = Callable[[LedgerStage], None]


@dataclass(frozen=True)
class Scenario:
    """How an edge is taken: up to it, with a standstill after each act, and over it.

    So many of alice's messages are `heard` in any case, if only the worker does not stand still.
    """

    before: tuple[Act, ...]
    over: Act
    heard: int = 0


def _connect(stage: LedgerStage) -> None:
    stage.connect("alice")


def _ask(stage: LedgerStage) -> None:
    stage.ask("first")


def _hibernate(stage: LedgerStage) -> None:
    stage.begin(stage.the_room().hibernate())


def _hold_the_load(stage: LedgerStage) -> None:
    stage.store.held_load = stage.loop.create_future()


def _let_the_start_fail(_stage: LedgerStage) -> None:
    Ledger.failing_starts = PlainLedger.failing_starts = 1


def _busy(stage: LedgerStage) -> None:
    for _ in range(3):
        stage.clients["alice"].say()


def _load_goes_on(stage: LedgerStage) -> None:
    held = stage.store.held_load
    assert held is not None
    stage.store.held_load = None
    held.set_result(None)


def _abort(stage: LedgerStage) -> None:
    room = stage.room
    if room is not None:
        room.abort(RoomAborted())


def _say(stage: LedgerStage) -> None:
    stage.clients["alice"].say()


def _crash(stage: LedgerStage) -> None:
    stage.ask("crash")


def _evict(stage: LedgerStage) -> None:
    stage.leave(draining=False)


def _evict_in_vain(stage: LedgerStage) -> None:
    stage.store.refuse_releases = 1
    stage.leave(draining=False)


def _drain(stage: LedgerStage) -> None:
    stage.leave(draining=True)


def _drain_a_busy_one(stage: LedgerStage) -> None:
    _busy(stage)
    stage.leave(draining=True)


def _drain_without_a_commit(stage: LedgerStage) -> None:
    stage.here.committer.fail_next(CommitResult.LOST)
    _drain_a_busy_one(stage)


def _lose(stage: LedgerStage) -> None:
    stage.here.committer.fail_next(CommitResult.LOST)
    _busy(stage)


def _drain_a_loading_one(stage: LedgerStage) -> None:
    stage.leave(draining=True)
    _load_goes_on(stage)


def _abort_a_loading_one(stage: LedgerStage) -> None:
    _load_goes_on(stage)
    stage.loop.call_soon(_abort, stage)


def _abort_a_busy_one(stage: LedgerStage) -> None:
    _busy(stage)
    stage.loop.call_soon(_abort, stage)


EDGES: dict[Edge, Scenario] = {
    (LOADING, ACTIVE): Scenario((), _connect),
    (LOADING, EVICTING): Scenario((_let_the_start_fail, _ask), _evict),
    (LOADING, DRAINING): Scenario((_hold_the_load, _connect), _drain_a_loading_one),
    (LOADING, ABORTED): Scenario((_hold_the_load, _connect), _abort_a_loading_one),
    (ACTIVE, LOADING): Scenario((_connect,), _crash),
    (ACTIVE, HIBERNATED): Scenario((_connect,), _hibernate),
    (ACTIVE, EVICTING): Scenario((_ask,), _evict),
    (ACTIVE, DRAINING): Scenario((_connect,), _drain, heard=1),
    (ACTIVE, ABORTED): Scenario((_connect,), _lose),
    (HIBERNATED, LOADING): Scenario((_connect, _hibernate), _say, heard=1),
    (HIBERNATED, EVICTING): Scenario((_ask, _hibernate), _evict),
    (HIBERNATED, DRAINING): Scenario((_connect, _hibernate), _drain),
    (HIBERNATED, ABORTED): Scenario((_connect, _hibernate), _abort),
    (EVICTING, GONE): Scenario((_ask,), _evict),
    (EVICTING, ABORTED): Scenario((_ask,), _evict_in_vain),
    (DRAINING, GONE): Scenario((_connect,), _drain_a_busy_one, heard=4),
    (DRAINING, ABORTED): Scenario((_connect,), _drain_without_a_commit),
    (ABORTED, GONE): Scenario((_connect,), _abort_a_busy_one),
}


def _message(stage: LedgerStage) -> None:
    for client in list(stage.clients.values()):
        client.say()
        client.say()


def _newcomer(stage: LedgerStage) -> None:
    stage.connect("newcomer")


def _request(stage: LedgerStage) -> None:
    stage.ask("injected")


def _goodbye(stage: LedgerStage) -> None:
    for client in stage.clients.values():
        client.say()
        client.leave()


DISTURBANCES: dict[str, Act] = {
    "message": _message,
    "newcomer": _newcomer,
    "request": _request,
    "goodbye": _goodbye,
    "pause": LedgerStage.pause,
    "eviction": lambda stage: stage.leave(draining=False),
    "drain": lambda stage: stage.leave(draining=True),
    "move": LedgerStage.move,
}


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[Edge]:
    """The moves that rooms made."""
    made: list[Edge] = []

    def move(before: RoomState, after: RoomState) -> RoomState:
        made.append((before, after))
        return move_by_the_table(before, after)

    monkeypatch.setattr(life, "move", move)
    return made


@pytest.fixture
def loop() -> Iterator[SteppingLoop]:
    made = SteppingLoop()
    yield made
    made.close()


class Disturbance:
    """Counts steps, and acts before the n-th; None only counts."""

    def __init__(self, stage: LedgerStage, at: int | None, act: Act) -> None:
        self._stage = stage
        self._at = at
        self._act = act
        self.steps = 0

    def __call__(self) -> None:
        self._stage.note_room()
        if self.steps == self._at:
            self._act(self._stage)
        self.steps += 1


def _run(loop: SteppingLoop, namespace: str, edge: Edge, at: int | None, act: Act) -> int:
    """Take an edge; returns how many steps that was."""
    scenario = EDGES[edge]
    with structlog.testing.capture_logs() as log, LedgerStage(loop, namespace) as stage:
        for step in scenario.before:
            stage.do(partial(step, stage))
        watch = Disturbance(stage, at, act)
        loop.watch = watch
        stage.do(partial(scenario.over, stage))
        loop.watch = None
        stage.check(heard=0 if act is LedgerStage.pause else scenario.heard)
    asked_for = int(edge == (ACTIVE, LOADING)) + int(edge == (LOADING, EVICTING))
    faults = [line for line in log if line["log_level"] == "error"]
    assert len(faults) <= asked_for, faults
    assert {line["event"] for line in faults} <= {"object_fault"}
    return watch.steps


def test_every_move_of_the_table_has_a_scenario() -> None:
    assert set(EDGES) == {
        (before, after) for before, afters in TRANSITIONS.items() for after in afters
    }


@pytest.mark.parametrize("namespace", ["ledger", "plain"])
@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge[0].name}-{edge[1].name}")
def test_the_scenario_takes_its_edge(
    loop: SteppingLoop, moves: list[Edge], edge: Edge, namespace: str
) -> None:
    assert _run(loop, namespace, edge, None, _message) > 0
    assert edge in moves


@pytest.mark.parametrize("disturbance", DISTURBANCES)
@pytest.mark.parametrize("namespace", ["ledger", "plain"])
@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge[0].name}-{edge[1].name}")
def test_nothing_is_lost_doubled_or_left_hanging_whatever_happens_on_the_way(
    loop: SteppingLoop, edge: Edge, namespace: str, disturbance: str
) -> None:
    act = DISTURBANCES[disturbance]
    steps = _run(loop, namespace, edge, None, act)
    for at in range(steps):
        try:
            _run(loop, namespace, edge, at, act)
        except BaseException as error:
            error.add_note(f"{disturbance} before step {at} of {steps}")
            raise
    print(f"{edge[0].name} -> {edge[1].name}: {disturbance} before each of {steps} steps")  # noqa: T201 - the coverage, for whoever asks with -s
