"""How a group of batches becomes the arguments of one statement."""

from collections.abc import Mapping
from uuid import UUID

from app.core.history import HistoryRule
from app.core.ids import CommitSeq, Epoch, ObjectIds
from app.core.values import (
    NO_ALARMS,
    Alarm,
    AlarmFailure,
    AlarmWrites,
    CommitOutcome,
    WriteBatch,
)
from app.store.commit_history import COMMIT_RESTORE, CommitCalls, history_forms
from app.store.commit_statement import (
    COMMIT_ALL,
    COMMIT_DELETES,
    COMMIT_DELETES_ONE,
    COMMIT_PUTS,
    COMMIT_PUTS_ONE,
    COMMIT_VALUE_ONE,
    Flight,
    commit_call,
)

WORKER = UUID(int=1)
IDS = ObjectIds(b"k" * 32)


class Silent:
    def take_batch(self) -> WriteBatch | None:
        return None

    def settle(self, outcome: CommitOutcome) -> None:
        raise AssertionError(outcome)


def flight(
    name: str,
    entries: Mapping[bytes, bytes | None],
    *,
    wipe: bool = False,
    alarms: AlarmWrites = NO_ALARMS,
) -> Flight:
    batch = WriteBatch(
        object_id=IDS.from_name("notes", name),
        epoch=Epoch(7),
        expected=CommitSeq(3),
        wipe=wipe,
        entries=entries,
        size_bytes=0,
        alarms=alarms,
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
    assert arguments[4:10] == ([a], [b"y"], [b"1"], [a], [b"x"], [b])
    assert arguments[10:] == ([],) * 13


def test_deletes_without_alarms_take_the_middle_form() -> None:
    first, second = flight("a", {b"x": None, b"y": b"1"}), flight("b", {b"z": None})
    statement, arguments = commit_call(WORKER, [first, second])
    a, b = first.batch.object_id.uuid, second.batch.object_id.uuid
    assert statement == COMMIT_DELETES
    assert arguments[4:] == ([a], [b"y"], [b"1"], [a, b], [b"x", b"z"])


def test_a_room_alone_takes_the_forms_without_arrays_of_rooms() -> None:
    puts, both = flight("a", {b"x": b"1", b"y": b""}), flight("a", {b"x": None, b"y": b"1"})
    fence = (WORKER, puts.batch.object_id.uuid, 7, 3)
    assert commit_call(WORKER, [puts]) == (COMMIT_PUTS_ONE, (*fence, [b"x", b"y"], [b"1", b""]))
    assert commit_call(WORKER, [both]) == (
        COMMIT_DELETES_ONE,
        (*fence, [b"y"], [b"1"], [b"x"]),
    )
    assert commit_call(WORKER, [flight("a", {}, wipe=True)])[0] == COMMIT_ALL
    assert commit_call(WORKER, [flight("a", {}, alarms={"": None})])[0] == COMMIT_ALL


def test_a_single_value_of_a_room_alone_takes_no_arrays() -> None:
    value, erased = flight("a", {b"x": b"1"}), flight("a", {b"x": None})
    fence = (WORKER, value.batch.object_id.uuid, 7, 3)
    assert commit_call(WORKER, [value]) == (COMMIT_VALUE_ONE, (*fence, b"x", b"1"))
    assert commit_call(WORKER, [erased]) == (COMMIT_DELETES_ONE, (*fence, [], [], [b"x"]))


def test_alarms_that_are_set_and_those_that_are_deleted_stand_in_lists_of_their_own() -> None:
    due = Alarm(due_ms=5, next_attempt_ms=7, counted_attempts=1, uncounted_attempts=2)
    failure = AlarmFailure(error_class="ValueError", error_text="no", at_ms=8)
    given_up = Alarm(due_ms=6, next_attempt_ms=None, payload=b"p", every_ms=9, failure=failure)
    first = flight("a", {b"y": b"1"}, alarms={"": due, "old": None})
    second = flight("b", {}, alarms={"x": given_up})
    statement, arguments = commit_call(WORKER, [first, second])
    a, b = first.batch.object_id.uuid, second.batch.object_id.uuid
    assert statement == COMMIT_ALL
    assert arguments[4:10] == ([a], [b"y"], [b"1"], [], [], [])
    assert arguments[10:21] == (
        [a, b],
        ["", "x"],
        [5, 6],
        [7, None],
        [1, 0],
        [2, 0],
        [None, b"p"],
        [None, 9],
        [None, "ValueError"],
        [None, "no"],
        [None, 8],
    )
    assert arguments[21:] == ([a], ["old"])


def test_what_is_known_to_be_applied_is_sealed_by_an_empty_commit_on_the_number_found() -> None:
    known = flight("a", {b"x": b"1", b"y": None}, wipe=True, alarms={"": None})
    known.applied = True
    known.number = CommitSeq(4)
    a = known.batch.object_id.uuid
    assert commit_call(WORKER, [known, known]) == (
        COMMIT_PUTS,
        (WORKER, [a, a], [7, 7], [4, 4], [], [], []),
    )
    known.batch = known.batch._replace(wipe=False, alarms=NO_ALARMS)
    assert commit_call(WORKER, [known]) == (COMMIT_PUTS_ONE, (WORKER, a, 7, 4, [], []))


def test_a_restoration_that_was_not_answered_is_settled_by_an_empty_commit() -> None:
    calls = CommitCalls(HistoryRule(seconds=60, size_bytes=1))
    made = flight("a", {})
    restoring = Flight(Silent(), made.batch._replace(restore=CommitSeq(1)))
    sent, arguments = calls.call(WORKER, [restoring])
    assert sent == COMMIT_RESTORE
    assert arguments == (WORKER, made.batch.object_id.uuid, 7, 3, 1)
    restoring.doubtful = True
    sent, arguments = calls.call(WORKER, [restoring])
    assert sent == history_forms().puts_one
    assert arguments[4:] == ([], [])


def test_groups_without_history_take_the_forms_without() -> None:
    calls = CommitCalls(HistoryRule(seconds=60, size_bytes=1, without=frozenset({"notes"})))
    assert calls.call(WORKER, [flight("a", {b"x": b"1"})])[0] == COMMIT_VALUE_ONE
    off = CommitCalls(HistoryRule(seconds=0, size_bytes=1))
    assert off.call(WORKER, [flight("a", {b"x": None})])[0] == COMMIT_DELETES_ONE
