"""Objects rest between two entries, and those that are over are not kept."""

from uuid import UUID

from app.store.listing_rests import Rest, Rests


def test_an_object_rests_until_the_end_that_was_set() -> None:
    rests = Rests()
    rests.begin(UUID(int=1), Rest(12.0, 20.0))
    assert rests.of(UUID(int=1), 10.0) == Rest(12.0, 20.0)
    assert rests.of(UUID(int=2), 10.0) == Rest(10.0, 10.0)


def test_many_that_pass_are_forgotten_when_their_rest_is_over() -> None:
    rests = Rests()
    most = 0
    for number in range(20_000):
        now = number / 100
        rests.begin(UUID(int=number), Rest(now + 2, now + 2))
        rests.forget(now)
        most = max(most, len(rests))
    assert most <= 1_001


def test_those_that_still_rest_are_kept_however_many_they_are() -> None:
    rests = Rests()
    for number in range(5_000):
        rests.begin(UUID(int=number), Rest(0.0, 60.0 if number % 2 else 1.0))
        rests.forget(0.5)
    assert len(rests) == 5_000
    for number in range(5_000, 10_001):
        rests.begin(UUID(int=number), Rest(0.0, 60.0))
        rests.forget(30.0)
    assert {UUID(int=number) for number in range(1, 5_000, 2)} <= set(rests)
    assert UUID(int=0) not in set(rests)
