"""Token buckets, against a plain model and against floods of made-up keys."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.core.token_bucket import SECOND_NS, TokenBuckets


def granted(buckets: TokenBuckets, key: str, now_ns: int, times: int) -> int:
    return sum(buckets.take(key, now_ns) == 0 for _ in range(times))


def test_a_burst_is_granted_and_then_the_rate() -> None:
    buckets = TokenBuckets(rate=10, burst=5)
    assert granted(buckets, "a", 0, 9) == 5
    wait = buckets.take("a", 0)
    assert wait == SECOND_NS // 10
    assert buckets.take("a", wait - 1) == 1
    assert buckets.take("a", wait) == 0
    assert granted(buckets, "a", 100 * SECOND_NS, 9) == 5, "a bucket holds no more than a burst"


def test_one_who_asks_too_much_takes_nothing_from_another() -> None:
    buckets = TokenBuckets(rate=1, burst=3)
    assert granted(buckets, "a", 0, 1_000) == 3
    assert granted(buckets, "b", 0, 3) == 3


def test_a_flood_of_keys_has_a_bound_and_resets_nobody() -> None:
    buckets = TokenBuckets(rate=1, burst=10, most_keys=100, shared=8)
    assert granted(buckets, "known", 0, 20) == 10
    admitted = sum(buckets.take(f"made up {each}", 0) == 0 for each in range(10_000))
    assert len(buckets) == 100
    assert 99 <= admitted <= 99 + 8 * 10
    assert buckets.take("known", 0) > 0
    assert buckets.take("known", SECOND_NS) == 0, "who was there is served beside the flood"


def test_a_flood_that_is_over_leaves_nothing() -> None:
    buckets = TokenBuckets(rate=1, burst=10, most_keys=100, shared=8)
    for each in range(1_000):
        buckets.take(f"made up {each}", 0)
    for second in range(50):
        buckets.take("busy", second * SECOND_NS)
    assert len(buckets) == 1


@given(
    rate=st.integers(1, 20),
    burst=st.integers(1, 10),
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * SECOND_NS)), max_size=60),
)
def test_it_grants_what_a_plain_bucket_for_each_key_would(
    rate: int, burst: int, steps: list[tuple[str, int]]
) -> None:
    buckets = TokenBuckets(rate=rate, burst=burst)
    levels: dict[str, tuple[Fraction, int]] = {}
    a_token = SECOND_NS // rate
    now = 0
    for key, pause in steps:
        now += pause
        level, since = levels.get(key, (Fraction(burst), now))
        level = min(Fraction(burst), level + Fraction(now - since, a_token))
        wait = buckets.take(key, now)
        if level >= 1:
            assert wait == 0
            level -= 1
        else:
            assert wait == (1 - level) * a_token
        levels[key] = (level, now)
