import itertools

from app.cli.patience import LONGEST_PAUSE_SECONDS, SHORT_LIFE_SECONDS, RestartPause, Silence

STEP = 0.02


def test_silence_is_counted_from_the_last_sign_of_life() -> None:
    silence = Silence(100.0)
    for step in range(1, 51):
        silence.seconds(100.0 + step * STEP)
    silence.heard()
    assert silence.seconds(101.0 + STEP) <= 2 * STEP
    assert 0.9 < max(silence.seconds(101.0 + step * STEP) for step in range(2, 51)) < 1.1


def test_a_pause_of_the_supervisor_itself_is_no_silence_of_the_worker() -> None:
    silence = Silence(100.0)
    silence.seconds(100.0 + STEP)
    assert silence.seconds(3_700.0) < 0.5
    silence.heard()  # what the worker said in that hour is read now
    assert silence.seconds(3_700.0 + STEP) < 0.1


def test_a_worker_that_is_really_silent_is_noticed_after_a_pause_of_the_supervisor() -> None:
    silence = Silence(100.0)
    seconds = 0.0
    for step in itertools.count():
        seconds = silence.seconds(3_700.0 + step * STEP)
        if seconds > 1.5:
            break
    assert step * STEP < 1.5


def test_a_first_end_is_followed_by_a_new_start_almost_at_once_and_further_ones_by_later_ones() -> (
    None
):
    pause = RestartPause()
    pauses = [pause.after(0.1) for _ in range(12)]
    assert pauses[0] < 0.1
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_a_process_that_lived_for_a_while_is_started_again_at_once() -> None:
    pause = RestartPause()
    for _ in range(12):
        pause.after(0.1)
    assert pause.after(SHORT_LIFE_SECONDS + 1) == 0.0
    assert pause.after(0.1) < 0.1
