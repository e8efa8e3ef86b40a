"""How a group of batches becomes the arguments of one statement."""

from collections.abc import Mapping
from uuid import UUID

from app.core.ids import CommitSeq, Epoch, ObjectIds
from app.core.values import CommitOutcome, WriteBatch
from app.store.commit_statement import COMMIT_ALL, COMMIT_PUTS, Flight, commit_call

WORKER = UUID(int=1)
IDS = ObjectIds(b"k" * 32)


class Silent:
    def take_batch(self) -> WriteBatch | None:
        return None

    def settle(self, outcome: CommitOutcome) -> None:
        raise AssertionError(outcome)


def flight(name: str, entries: Mapping[bytes, bytes | None], *, wipe: bool = False) -> Flight:
    batch = WriteBatch(
        object_id=IDS.from_name("notes", name),
        epoch=Epoch(7),
        expected=CommitSeq(3),
        wipe=wipe,
        entries=entries,
        size_bytes=0,
    )
    return Flight(Silent(), batch)


def test_puts_alone_take_the_short_form() -> None:
    first, second = flight("a", {b"x": b"1", b"y": b""}), flight("b", {b"z": b"2"})
    statement, arguments = commit_call(WORKER, [first, second])
    a, b = first.batch.object_id.uuid, second.batch.object_id.uuid
    assert statement == COMMIT_PUTS
    assert arguments == (
        WORKER,
        [a, b],
        [7, 7],
        [3, 3],
        [a, a, b],
        [b"x", b"y", b"z"],
        [b"1", b"", b"2"],
    )


def test_a_key_stands_in_one_list_only() -> None:
    first, second = flight("a", {b"x": None, b"y": b"1"}), flight("b", {b"z": None}, wipe=True)
    statement, arguments = commit_call(WORKER, [first, second])
    a, b = first.batch.object_id.uuid, second.batch.object_id.uuid
    assert statement == COMMIT_ALL
    assert arguments[4:] == ([a], [b"y"], [b"1"], [a], [b"x"], [b])


def test_what_is_known_to_be_applied_is_sealed_by_an_empty_commit_on_the_number_found() -> None:
    known = flight("a", {b"x": b"1", b"y": None}, wipe=True)
    known.applied = True
    known.number = CommitSeq(4)
    statement, arguments = commit_call(WORKER, [known])
    assert statement == COMMIT_PUTS
    assert arguments[1:] == ([known.batch.object_id.uuid], [7], [4], [], [], [])
