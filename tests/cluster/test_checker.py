"""The checker itself: what it takes for a proof, and what for a loss."""

from tests.cluster.checker import Change, Content, History

FIRST = Change(("room", "t", "r", "c"), "stamp-1", 1)
SECOND = Change(("room", "t", "r", "c"), "stamp-2", 2)
OTHER = Change(("room", "v"), "stamp-3", "text")
ELSEWHERE = Change(("another room", "t", "r", "c"), "stamp-4", 4)


def content(*changes: Change) -> Content:
    return {change.place: (change.value, change.stamp) for change in changes}


def reasons(history: History, found: Content) -> list[str]:
    losses = history.losses(found, reader="the reader", rooms=["room"])
    return [f"{loss.change.stamp}: {loss.reason}" for loss in losses]


def test_a_change_that_a_peer_saw_must_be_there() -> None:
    history = History()
    history.wrote("w", [FIRST])
    assert reasons(history, content()) == []
    history.saw("p", [FIRST])
    assert reasons(history, content()) == ["stamp-1: p saw it, the reader does not have it"]
    assert reasons(history, content(FIRST)) == []


def test_a_receipt_covers_what_was_sent_before_its_question_and_nothing_after() -> None:
    history = History()
    history.wrote("w", [FIRST])
    history.asked("w", "q")
    history.wrote("w", [OTHER])
    history.answered("w", "q")
    assert set(history.acknowledged()) == {FIRST}
    assert history.unacknowledged() == {OTHER}
    assert reasons(history, content(OTHER)) == [
        "stamp-1: w had a receipt, the reader does not have it"
    ]


def test_a_later_receipt_covers_what_an_earlier_question_asked_without_an_answer_did_not() -> None:
    history = History()
    history.wrote("w", [FIRST])
    history.asked("w", "first")
    history.wrote("w", [OTHER])
    history.asked("w", "second")
    history.answered("w", "second")
    assert set(history.acknowledged()) == {FIRST, OTHER}


def test_the_receipt_of_one_writer_says_nothing_of_another() -> None:
    history = History()
    history.wrote("w", [FIRST])
    history.asked("x", "q")
    history.answered("x", "q")
    history.answered("w", "q")
    assert history.acknowledged() == {}


def test_a_newer_change_of_the_same_cell_stands_for_the_older_and_an_older_one_does_not() -> None:
    history = History()
    history.wrote("w", [FIRST, SECOND])
    history.saw("p", [FIRST])
    assert reasons(history, content(SECOND)) == []
    history.saw("p", [SECOND])
    assert reasons(history, content(FIRST)) == ["stamp-2: p saw it, the reader does not have it"]


def test_the_right_stamp_with_another_value_is_a_loss() -> None:
    history = History()
    history.wrote("w", [FIRST])
    history.saw("p", [FIRST])
    altered = Change(FIRST.place, FIRST.stamp, 7)
    assert reasons(history, content(altered)) == [
        "stamp-1: p saw it, the reader does not have it",
        "stamp-1: the reader has what nobody wrote",
    ]


def test_what_nobody_wrote_is_found_in_content_and_in_what_peers_saw() -> None:
    history = History()
    assert reasons(history, content(FIRST)) == ["stamp-1: the reader has what nobody wrote"]
    history.wrote("w", [FIRST])
    assert reasons(history, content(FIRST)) == []
    moved = Change(("room", "t", "r", "d"), FIRST.stamp, FIRST.value)
    history.saw("p", [moved])
    assert reasons(history, content(FIRST)) == ["stamp-1: p saw what nobody wrote"]


def test_rooms_that_were_not_read_are_not_missed() -> None:
    history = History()
    history.wrote("w", [ELSEWHERE])
    history.saw("p", [ELSEWHERE])
    assert reasons(history, content()) == []
    losses = history.losses(content(), reader="r", rooms=["another room"])
    assert [loss.change for loss in losses] == [ELSEWHERE]
