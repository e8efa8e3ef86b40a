"""How often and how long a channel is brought back."""

from app.web.comeback import Comeback


def test_the_first_try_is_made_at_once_and_further_ones_later_and_later() -> None:
    comeback = Comeback(10.0)
    comeback.lost(100.0)
    pauses = [comeback.next_pause() for _ in range(12)]
    assert pauses[0] == 0.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.0


def test_it_is_over_when_patience_is() -> None:
    comeback = Comeback(10.0)
    comeback.lost(100.0)
    assert comeback.left_seconds(104.0) == 6.0
    assert comeback.left_seconds(110.0) == 0.0


def test_being_lost_again_soon_is_the_same_way_and_later_is_a_new_one() -> None:
    comeback = Comeback(10.0)
    comeback.lost(100.0)
    comeback.next_pause()
    comeback.joined(101.0)
    comeback.lost(103.0)
    assert comeback.left_seconds(103.0) == 7.0
    assert comeback.next_pause() > 0.0
    comeback.joined(104.0)
    comeback.lost(108.0)
    assert comeback.left_seconds(108.0) == 10.0
    assert comeback.next_pause() == 0.0
