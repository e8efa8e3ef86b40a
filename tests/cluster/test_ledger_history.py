"""The ledgers' checker: each way in which a history can be impossible is found."""

from collections.abc import Sequence

from tests.cluster.ledger_history import Append, Kind, LedgerHistory, Line, Receipt

A, B = "process-a", "process-b"


def lines(*operations: str) -> list[Line]:
    return list(enumerate(operations, 1))


def kinds(history: LedgerHistory, final: Sequence[Line]) -> list[Kind]:
    return [violation.kind for violation in history.violations({"ledger": final})]


def append(
    history: LedgerHistory, place: int, operation: str, receipt: tuple[int, int, str]
) -> None:
    history.began("ledger", operation)
    history.appended("ledger", Append(place, operation, Receipt(*receipt)))


def test_a_history_in_which_all_is_well_is_possible() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    append(history, 2, "two", (10, 2, A))
    append(history, 3, "three", (10, 2, A))  # in one commit with the one before
    append(history, 4, "four", (12, 3, B))
    history.began("ledger", "heard nothing of, and there")
    history.began("ledger", "heard nothing of, and not there")
    reading = history.begin_read("ledger")
    history.has_read(reading, 2, [(3, "three"), (4, "four")], Receipt(12, 4, B))
    history.pushed("listener", "ledger", (3, "three"))
    history.pushed("listener", "ledger", (4, "four"))
    final = lines("one", "two", "three", "four", "heard nothing of, and there")
    assert kinds(history, final) == []
    assert (history.acknowledged, history.unknown) == (4, 2)
    assert (history.reads, history.pushes) == (1, 2)


def test_an_acknowledged_append_that_is_not_there_is_lost() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    append(history, 2, "two", (10, 2, A))
    assert kinds(history, lines("one")) == [Kind.LOST]


def test_an_acknowledged_append_at_another_place_is_lost() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    history.began("ledger", "two")
    assert kinds(history, lines("two", "one")) == [Kind.LOST]


def test_two_appends_acknowledged_for_one_place_cannot_both_be_there() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    append(history, 1, "other", (11, 2, B))
    assert kinds(history, lines("other")) == [Kind.LOST]


def test_a_ledger_that_is_gone_altogether_is_missed() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    assert [violation.kind for violation in history.violations({})] == [Kind.LOST]


def test_what_was_shown_by_a_read_or_a_push_must_be_there() -> None:
    history = LedgerHistory()
    history.began("ledger", "one")
    history.began("ledger", "two")
    history.has_read(history.begin_read("ledger"), 0, [(1, "one")], Receipt(10, 1, A))
    history.pushed("listener", "ledger", (2, "two"))
    assert kinds(history, lines("one", "two")) == []
    assert kinds(history, []) == [Kind.SHOWN_AND_GONE, Kind.SHOWN_AND_GONE]


def test_what_was_delivered_by_another_object_must_be_there_and_be_seen_by_later_reads() -> None:
    history = LedgerHistory()
    history.began("ledger", "one")
    history.delivered("ledger", (1, "one"))
    assert (history.relays, history.unknown) == (1, 0)
    assert kinds(history, lines("one")) == []
    assert kinds(history, []) == [Kind.SHOWN_AND_GONE]
    history.has_heard(history.begin_read("ledger"), 0)
    assert kinds(history, lines("one")) == [Kind.STALE]


def test_an_operation_that_the_server_repeated_stands_there_twice() -> None:
    history = LedgerHistory()
    history.began("ledger", "one")
    assert kinds(history, lines("one")) == []
    assert kinds(history, lines("one", "one")) == [Kind.TWICE]


def test_an_operation_of_nobody_is_strange() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    assert kinds(history, lines("one", "two")) == [Kind.STRANGE]


def test_what_the_ledger_writes_by_itself_is_not_strange() -> None:
    history = LedgerHistory(own=lambda operation: operation.startswith("own-"))
    append(history, 1, "one", (10, 1, A))
    assert kinds(history, lines("one", "own-1")) == []
    assert kinds(history, lines("one", "owned")) == [Kind.STRANGE]


def test_an_operation_that_was_never_sent_is_strange_when_it_is_there() -> None:
    history = LedgerHistory()
    history.began("ledger", "one")
    history.never_sent("ledger", "one")
    assert history.unknown == 0
    assert kinds(history, []) == []
    assert kinds(history, lines("one")) == [Kind.STRANGE]


def test_places_that_are_not_counted_one_by_one_are_torn() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    append(history, 3, "three", (10, 2, A))
    assert kinds(history, [(1, "one"), (3, "three")]) == [Kind.TORN]
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    append(history, 2, "two", (10, 2, A))
    append(history, 3, "three", (10, 2, A))
    history.has_read(history.begin_read("ledger"), 0, [(1, "one"), (3, "three")], Receipt(10, 2, A))
    assert kinds(history, lines("one", "two", "three")) == [Kind.TORN]


def test_two_processes_that_answer_in_one_epoch_are_two_holders() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    append(history, 2, "two", (10, 2, B))
    assert kinds(history, lines("one", "two")) == [Kind.TWO_HOLDERS]


def test_a_read_answered_by_another_process_in_the_same_epoch_is_found_too() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    history.has_read(history.begin_read("ledger"), 0, [(1, "one")], Receipt(10, 1, B))
    assert kinds(history, lines("one")) == [Kind.TWO_HOLDERS]


def test_one_epoch_never_belongs_to_two_objects() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    history.began("another", "o")
    history.appended("another", Append(1, "o", Receipt(10, 1, A)))
    found = history.violations({"ledger": lines("one"), "another": [(1, "o")]})
    assert [violation.kind for violation in found] == [Kind.TWO_HOLDERS]


def test_an_epoch_that_goes_back_along_the_places_is_found() -> None:
    history = LedgerHistory()
    append(history, 2, "two", (10, 2, A))
    append(history, 1, "one", (11, 1, B))
    assert kinds(history, lines("one", "two")) == [Kind.WENT_BACK]


def test_a_commit_number_that_goes_back_along_the_places_is_found() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 3, A))
    append(history, 2, "two", (10, 2, A))
    assert kinds(history, lines("one", "two")) == [Kind.WENT_BACK]


def test_one_commit_number_in_two_epochs_is_found() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 2, A))
    append(history, 2, "two", (11, 2, B))
    assert kinds(history, lines("one", "two")) == [Kind.WENT_BACK]


def test_a_read_that_began_after_an_answer_must_show_it() -> None:
    history = LedgerHistory()
    early = history.begin_read("ledger")
    append(history, 1, "one", (10, 1, A))
    late = history.begin_read("ledger")
    history.has_read(early, 0, [], Receipt(9, 0, B))
    assert kinds(history, lines("one")) == []
    history.has_read(late, 0, [], Receipt(9, 0, B))
    assert kinds(history, lines("one")) == [Kind.STALE]


def test_a_read_must_show_what_another_read_or_a_push_had_shown() -> None:
    history = LedgerHistory()
    history.began("ledger", "one")
    history.pushed("listener", "ledger", (1, "one"))
    history.has_read(history.begin_read("ledger"), 0, [], Receipt(9, 0, B))
    assert kinds(history, lines("one")) == [Kind.STALE]


def test_a_length_that_is_told_counts_everything_shown_before_the_question() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    asked = history.begin_read("ledger")
    append(history, 2, "two", (10, 2, A))
    history.has_heard(asked, 1)
    assert kinds(history, lines("one", "two")) == []
    history.has_heard(history.begin_read("ledger"), 1)
    assert kinds(history, lines("one", "two")) == [Kind.STALE]


def test_while_a_worker_that_is_well_counts_as_dead_reads_are_not_judged() -> None:
    history = LedgerHistory()
    append(history, 1, "one", (10, 1, A))
    before = history.begin_read("ledger")
    history.trusting = False
    history.has_heard(before, 0)
    within = history.begin_read("ledger")
    history.trusting = True
    history.has_heard(within, 0)
    assert kinds(history, lines("one")) == []
    history.has_heard(history.begin_read("ledger"), 0)
    assert kinds(history, lines("one")) == [Kind.STALE]


def test_a_socket_that_misses_a_line_or_hears_one_twice_has_a_gap() -> None:
    for told in ([1, 3], [1, 1], [2, 1]):
        history = LedgerHistory()
        for operation in ("o1", "o2", "o3"):
            history.began("ledger", operation)
        for place in told:
            history.pushed("listener", "ledger", (place, f"o{place}"))
        assert kinds(history, lines("o1", "o2", "o3")) == [Kind.GAP], told


def test_each_connection_counts_for_itself() -> None:
    history = LedgerHistory()
    for operation in ("o1", "o2", "o3"):
        history.began("ledger", operation)
    history.pushed("first connection", "ledger", (1, "o1"))
    history.pushed("second connection", "ledger", (3, "o3"))
    assert kinds(history, lines("o1", "o2", "o3")) == []


def test_the_receipt_header_is_read() -> None:
    assert Receipt.parse("ledger-0011/77/5", A) == Receipt(77, 5, A)
