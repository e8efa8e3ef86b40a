from app.tinybase.questions import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    OPEN_QUESTIONS,
    POSTPONED_SECONDS,
    RETRIES,
    Late,
    Pending,
    Questions,
)


def pending(client: str, deadline: float = 1.0) -> Pending:
    return Pending(client=client, transaction="T", pull=None, deadline=deadline)


def test_a_question_is_answered_once_and_by_the_one_who_was_asked() -> None:
    questions = Questions()
    asked = pending("A")
    questions.ask("q", asked)
    assert questions.answered("q", "B") is None
    assert questions.answered(None, "A") is None
    assert questions.answered("other", "A") is None
    assert questions.answered("q", "A") is asked
    assert questions.answered("q", "A") is None


def test_a_question_to_everybody_is_answered_by_anybody_until_its_deadline() -> None:
    questions = Questions()
    asked = pending("", deadline=2.0)
    questions.ask("q", asked)
    assert questions.answered("q", "A") is asked
    assert questions.answered("q", "B") is asked
    assert questions.expire(2.0) == Late(unanswered=[], due=[])
    assert questions.answered("q", "C") is None


def test_a_new_question_to_a_client_replaces_the_one_before() -> None:
    questions = Questions()
    questions.ask("first", pending("A"))
    questions.ask("second", pending("A"))
    assert questions.answered("first", "A") is None
    assert questions.answered("second", "A") is not None


def test_the_hundredth_question_is_the_last() -> None:
    questions = Questions()
    for number in range(OPEN_QUESTIONS):
        assert not questions.full
        questions.ask(f"q{number}", pending(f"c{number}"))
    assert questions.full
    questions.withdraw("c5")
    assert not questions.full


def test_what_is_not_answered_in_time_is_late() -> None:
    questions = Questions()
    questions.ask("a", pending("A", deadline=1.0))
    questions.ask("b", pending("B", deadline=2.0))
    assert questions.next_deadline() == 1.0
    assert questions.expire(1.5) == Late(unanswered=["A"], due=[])
    assert questions.next_deadline() == 2.0


def test_tries_come_later_and_later_up_to_a_limit_until_one_succeeds() -> None:
    questions = Questions()
    now, delays = 0.0, []
    for _ in range(8):
        questions.retry("A", now)
        at = questions.next_deadline()
        assert at is not None
        delays.append(at - now)
        now = at
        assert questions.expire(now) == Late(unanswered=[], due=["A"])
        assert questions.next_deadline() is None
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LAST_RETRY_SECONDS, 60.0]
    questions.succeeded("A")
    questions.retry("A", now)
    assert questions.next_deadline() == now + FIRST_RETRY_SECONDS


def test_a_client_that_never_answers_is_left_alone_in_the_end() -> None:
    questions = Questions()
    now = 0.0
    for _ in range(RETRIES):
        questions.retry("A", now)
        now = questions.next_deadline() or now
        questions.expire(now)
    questions.retry("A", now)
    assert questions.next_deadline() is None
    questions.retry("A", now)
    assert questions.next_deadline() == now + FIRST_RETRY_SECONDS


def test_being_put_off_for_want_of_room_counts_as_no_try() -> None:
    questions = Questions()
    now = 0.0
    for _ in range(3 * RETRIES):
        questions.postpone("A", now)
        assert questions.next_deadline() == now + POSTPONED_SECONDS
        now += POSTPONED_SECONDS
        assert questions.expire(now) == Late(unanswered=[], due=["A"])
    questions.retry("A", now)
    assert questions.next_deadline() is not None


def test_a_client_that_left_is_neither_late_nor_tried_again() -> None:
    questions = Questions()
    questions.ask("q", pending("A"))
    questions.retry("A", 0.0)
    questions.forget("A")
    assert questions.next_deadline() is None
    assert questions.expire(99.0) == Late(unanswered=[], due=[])
