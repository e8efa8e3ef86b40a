"""Faults of the engine, of the replica and of the worker's standing."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from app.cluster.lease_protocol import Errand, LeaseProtocol, Phase
from app.room.commits import CommitLane
from app.room.gate import OutputGate
from app.room.room import Room
from app.tinybase.cell_change import CellChange
from app.tinybase.layout import Entry
from app.tinybase.replica import Applied, Replica


def gate_opens_at_send() -> None:
    """Outputs are delivered when they are made, the commit follows."""

    def offer(self: OutputGate[Any], outputs: Any, **_named: Any) -> Any:
        return () if self._broken else outputs

    _replace(OutputGate, "offer", offer)


def replica_ignores_every_tenth_diff() -> None:
    """The frame is relayed all the same."""
    original, set_cell_well = Replica.apply, Replica.set_cell
    diffs = count(1)

    def apply(self: Replica, changes: Any, now_ms: int, **named: Any) -> Applied | None:
        return None if next(diffs) % 10 == 0 else original(self, changes, now_ms, **named)

    def set_cell(self: Replica, change: CellChange, now_ms: int) -> Sequence[Entry]:
        return () if next(diffs) % 10 == 0 else set_cell_well(self, change, now_ms)

    _replace(Replica, "apply", apply)
    _replace(Replica, "set_cell", set_cell)


def speaks_after_its_lease() -> None:
    """What may leave by the gate leaves, whether or not the lease still holds."""

    def deliver(self: Room, outputs: Any) -> None:
        self._delivery.deliver(outputs)

    _replace(Room, "_deliver", deliver)


def registers_again_under_the_same_id() -> None:
    """A life that began half way is begun again, though its row is dead by then."""

    original = LeaseProtocol._come_back

    def come_back(self: LeaseProtocol[Any]) -> Errand:
        half_way = self.phase is Phase.WAITING
        worker_id = self.worker_id
        errand = original(self)
        if half_way:
            self.worker_id = worker_id
        return errand

    _replace(LeaseProtocol, "_come_back", come_back)


def a_refused_commit_is_taken_for_done() -> None:
    """The fence holds, and nobody listens to it: the room goes on as if it had committed."""
    original = CommitLane.settle

    def settle(self: CommitLane, outcome: Any) -> None:
        done = type(outcome)(type(outcome.result).COMMITTED, outcome.commit_seq, None)
        original(self, done)

    _replace(CommitLane, "settle", settle)


def _replace(owner: Any, name: str, new: Any) -> None:
    setattr(owner, name, new)
