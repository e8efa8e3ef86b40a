"""What is found out about alarms from the lines of a ledger."""

from tests.cluster.alarm_runs import overlaps, runs, waiting
from tests.cluster.ledger_history import Line


def lines(*texts: str) -> list[Line]:
    return list(enumerate(texts, 1))


def test_runs_one_after_the_other_do_not_overlap() -> None:
    told = lines("set-1", "op-2", "begin-a", "end-a", "set-3", "begin-b", "end-b")
    assert overlaps(told) == []
    assert waiting(told) == []
    assert runs(told) == 2


def test_a_run_that_never_ended_was_followed_by_another() -> None:
    told = lines("set-1", "begin-a", "op-2", "begin-b", "end-b")
    assert overlaps(told) == []
    assert waiting(told) == []
    assert runs(told) == 1


def test_a_setting_behind_the_latest_run_still_waits() -> None:
    told = lines("set-1", "begin-a", "end-a", "set-2", "set-3")
    assert waiting(told) == [(4, "set-2"), (5, "set-3")]


def test_a_setting_that_only_a_begun_run_followed_still_waits() -> None:
    assert waiting(lines("set-1", "begin-a")) == [(1, "set-1")]


def test_two_runs_at_the_same_time_overlap() -> None:
    found = overlaps(lines("begin-a", "begin-b", "end-b", "end-a"))
    assert found == ["run a ended at 4, right behind 'end-b'"]


def test_another_event_in_the_middle_of_a_run_overlaps_with_it() -> None:
    assert overlaps(lines("begin-a", "op-1", "end-a")) == ["run a ended at 3, right behind 'op-1'"]


def test_a_run_that_ends_twice_is_found() -> None:
    assert overlaps(lines("begin-a", "end-a", "end-a")) == [
        "run a ended at 3, right behind 'end-a'",
        "run a ended twice, again at 3",
    ]


def test_an_end_without_a_begin_is_found() -> None:
    assert overlaps(lines("end-a")) == ["run a ended at 1, right behind ''"]
