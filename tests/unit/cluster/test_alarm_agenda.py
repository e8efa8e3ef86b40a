"""When the database is asked for due alarms, and for how many."""

from uuid import uuid4

from app.cluster.alarm_agenda import AT_ONCE, POLL_SECONDS, AlarmAgenda
from app.core.ids import ObjectIds, WorkerId
from app.core.values import DueAlarm

NOW = 1_700_000_000_000
IDS = ObjectIds(b"k" * 32)
WORKER = WorkerId(uuid4())


def due(number: int, *, attempt_ms: int = NOW) -> DueAlarm:
    object_id = IDS.from_name("notes", f"{number}")
    return DueAlarm(object_id=object_id, name="", due_ms=NOW, attempt_ms=attempt_ms)


def test_without_news_the_database_is_asked_at_every_poll() -> None:
    agenda = AlarmAgenda()
    assert agenda.pause_seconds(NOW) == POLL_SECONDS
    agenda.asked(NOW)
    assert agenda.pause_seconds(NOW + 100) == POLL_SECONDS


def test_an_alarm_that_was_set_here_is_asked_for_at_its_very_time() -> None:
    agenda = AlarmAgenda()
    assert agenda.expect(NOW + 300)
    assert agenda.pause_seconds(NOW) == 0.3
    assert agenda.expect(NOW + 200), "the next one to ask for has changed"
    assert not agenda.expect(NOW + 250)
    assert agenda.pause_seconds(NOW) == 0.2
    assert agenda.pause_seconds(NOW + 200) == 0
    agenda.asked(NOW + 200)
    assert agenda.pause_seconds(NOW + 200) == 0.05


def test_what_is_far_away_is_waited_for_poll_by_poll() -> None:
    agenda = AlarmAgenda()
    agenda.expect(NOW + 60_000)
    assert agenda.pause_seconds(NOW) == POLL_SECONDS


def test_a_database_whose_clock_is_behind_is_not_asked_without_a_pause() -> None:
    agenda = AlarmAgenda()
    agenda.expect(NOW)
    assert agenda.pause_seconds(NOW) == 0
    agenda.asked(NOW - 3)
    assert 0 < agenda.pause_seconds(NOW) < 0.05
    agenda.asked(NOW)
    assert agenda.pause_seconds(NOW) == POLL_SECONDS


def test_more_than_can_be_noted_is_left_to_the_polls_the_latest_first() -> None:
    agenda = AlarmAgenda()
    for number in range(30_000):
        agenda.expect(NOW + 100_000 - number)
    assert len(agenda._expected) <= 10_000
    agenda.asked(NOW)
    assert agenda._expected[0] == NOW + 100_000 - 29_999


def test_so_many_are_rung_at_once_and_no_more() -> None:
    agenda = AlarmAgenda()
    assert agenda.vacancies == AT_ONCE
    for number in range(AT_ONCE):
        agenda.begin(WORKER, due(number))
    assert agenda.vacancies == 0
    agenda.expect(NOW)
    assert agenda.pause_seconds(NOW) == POLL_SECONDS, "there is nothing to ask for"


def test_after_a_full_answer_a_part_must_have_ended_before_more_is_asked_for() -> None:
    agenda = AlarmAgenda()
    rings = [agenda.begin(WORKER, due(number)) for number in range(AT_ONCE)]
    agenda.asked(NOW, more=True)
    asks = [agenda.end(ring) for ring in rings[:20]]
    assert asks == [False] * 15 + [True] * 5
    agenda.asked(NOW)
    assert not agenda.end(rings[20]), "there was no more"


def test_an_alarm_may_be_rung_twice_at_a_time() -> None:
    agenda = AlarmAgenda()
    other = WorkerId(uuid4())
    first, second = agenda.begin(WORKER, due(1)), agenda.begin(WORKER, due(1))
    agenda.begin(other, due(2))
    assert list(agenda.claimed_by(WORKER)) == [due(1)]
    assert list(agenda.claimed_by(other)) == [due(2)]
    agenda.end(first)
    assert list(agenda.claimed_by(WORKER)) == [due(1)]
    agenda.end(second)
    assert list(agenda.claimed_by(WORKER)) == []
    assert agenda.vacancies == AT_ONCE - 1


def test_while_more_is_due_and_there_are_places_it_is_asked_again_at_once() -> None:
    agenda = AlarmAgenda()
    agenda.begin(WORKER, due(1))
    agenda.asked(NOW, more=True, given=1)
    assert agenda.pause_seconds(NOW) == 0
    agenda.asked(NOW, more=True, given=0)
    assert agenda.pause_seconds(NOW) == POLL_SECONDS, "what is left is locked by somebody"


def test_an_object_that_is_busy_with_its_alarms_is_left_out_until_most_have_ended() -> None:
    agenda = AlarmAgenda()
    hog = [agenda.begin(WORKER, due(1, attempt_ms=NOW - number)) for number in range(8)]
    agenda.begin(WORKER, due(2))
    assert list(agenda.busy) == [due(1).object_id]
    asks = [agenda.end(ring) for ring in hog]
    assert asks == [False] * 4 + [True] + [False] * 3
    assert list(agenda.busy) == []
