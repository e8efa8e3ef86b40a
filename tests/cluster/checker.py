"""What happened, and what of it must still be there. Pure.

A change counts as **acknowledged** in two ways: a peer of its writer has seen it, or the writer
has had an answer from the server to a question that it asked after it (answers pass the output
gate, so such an answer is a receipt). Arrival order between clients means nothing; within one
connection it is the order of sending, so a receipt covers everything sent before its question.

`losses` compares that with the content as it was read afterwards. A change is there when its cell
holds it, or holds a newer one by the stamps: every change has a stamp of its own, and the greater
one wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.interop.wire_json import Json

Place: TypeAlias = tuple[str, ...]
"""A room and where in it: `(room, table, row, cell)`, or `(room, value)`."""

Content: TypeAlias = Mapping[Place, tuple[Json, str]]
"""What a reader found: the value and the stamp of each cell and value, tombstones included."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell or value, written once. The stamp alone tells it from all others."""

    place: Place
    stamp: str
    value: Json = field(hash=False)


@dataclass(frozen=True, slots=True)
class Loss:
    """An acknowledged change that is not there, or something there that nobody wrote."""

    change: Change
    reason: str
    found: tuple[Json, str] | None

    def __str__(self) -> str:
        place = "/".join(self.change.place)
        return f"{place} at {self.change.stamp}: {self.reason}; found {self.found}"


class History:
    """The log of one or more rounds, in the order of each client's own connection.

    A writer's name stands for one connection: after a reconnection it needs another.
    """

    def __init__(self) -> None:
        self.proofs = 0
        """How many answers came and how many changes were seen by a peer."""
        self._written: dict[str, Change] = {}
        self._seen: dict[Change, str] = {}
        self._sent: dict[str, list[Change]] = {}
        self._asked: dict[tuple[str, str], int] = {}
        self._covered: dict[str, int] = {}
        self._forged: list[Loss] = []

    def wrote(self, writer: str, changes: Iterable[Change]) -> None:
        """The writer has sent these, to everybody."""
        listed = list(changes)
        self._written.update((change.stamp, change) for change in listed)
        self._sent.setdefault(writer, []).extend(listed)

    def asked(self, writer: str, question: str) -> None:
        """The writer has sent the server a question, after all it wrote so far."""
        self._asked[writer, question] = len(self._sent.get(writer, ()))

    def answered(self, writer: str, question: str) -> None:
        """The server's answer has come: a receipt for what was sent before the question."""
        self.proofs += 1
        covered = self._asked.get((writer, question), 0)
        self._covered[writer] = max(covered, self._covered.get(writer, 0))

    def saw(self, peer: str, changes: Iterable[Change]) -> None:
        """A peer was sent these, by relay or by the server itself."""
        for change in changes:
            self.proofs += 1
            written = self._written.get(change.stamp)
            if written is None or written != change:
                self._forged.append(Loss(change, f"{peer} saw what nobody wrote", None))
            else:
                self._seen[change] = f"{peer} saw it"

    def acknowledged(self) -> dict[Change, str]:
        """Every change that must be there, and why."""
        receipts = {
            change: f"{writer} had a receipt"
            for writer, covered in self._covered.items()
            for change in self._sent.get(writer, ())[:covered]
        }
        return self._seen | receipts

    def unacknowledged(self) -> set[Change]:
        """What was sent and may be there or not."""
        return set(self._written.values()) - self.acknowledged().keys()

    def losses(self, content: Content, *, reader: str, rooms: Iterable[str]) -> list[Loss]:
        """Compare with what a reader found in these rooms; empty when all is well."""
        wanted = set(rooms)
        missing = [
            Loss(change, f"{why}, {reader} does not have it", content.get(change.place))
            for change, why in self.acknowledged().items()
            if change.place[0] in wanted and not _is_there(change, content)
        ]
        return self._forged + missing + self._strange(content, reader, wanted)

    def _strange(self, content: Content, reader: str, rooms: set[str]) -> list[Loss]:
        """What is there and was written by nobody in this place with this stamp."""
        found = (
            Change(place, stamp, value)
            for place, (value, stamp) in content.items()
            if place[0] in rooms
        )
        return [
            Loss(change, f"{reader} has what nobody wrote", (change.value, change.stamp))
            for change in found
            if self._written.get(change.stamp) != change
        ]


def _is_there(change: Change, content: Content) -> bool:
    found = content.get(change.place)
    if found is None:
        return False
    value, stamp = found
    return stamp > change.stamp or (stamp == change.stamp and value == change.value)
