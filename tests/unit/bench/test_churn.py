"""The verdict of `bench.churn`."""

from collections.abc import Callable

from bench.churn import STRETCHES, Reading, left_by_each, until_flat, verdict

MIB = 1 << 20


def test_memory_that_only_warms_up_is_flat() -> None:
    readings = [(number * 2_000, (80 + min(number, 8)) * MIB) for number in range(1, 31)]

    assert abs(left_by_each(readings)) < 1
    assert verdict(readings) is None


def test_memory_that_goes_on_growing_is_a_leak_and_the_price_of_each_is_told() -> None:
    readings = [(number * 2_000, 80 * MIB + number * 2_000 * 500) for number in range(1, 31)]

    assert verdict(readings) == "each leaves 500 bytes behind"


def test_readings_that_go_up_and_down_are_no_leak() -> None:
    readings = [(number * 2_000, (80 + number % 3) * MIB) for number in range(1, 31)]

    assert verdict(readings) is None


class Stretches:
    """Readings of `size_of` so many connections, 30 in each stretch."""

    def __init__(self, size_of: Callable[[int], int]) -> None:
        self._size_of = size_of
        self._come = 0

    async def __call__(self) -> list[Reading]:
        """The next 60,000 have come and gone."""
        counts = range(self._come + 2_000, self._come + 62_000, 2_000)
        self._come = counts[-1]
        return [(count, self._size_of(count)) for count in counts]


async def test_a_heap_that_grows_in_steps_and_stops_is_no_leak() -> None:
    def size_of(count: int) -> int:
        return (120 + 8 * min(count // 16_000, 4)) * MIB

    stretches = await until_flat(Stretches(size_of))

    assert verdict(stretches[0]) is not None
    assert verdict(stretches[-1]) is None
    assert len(stretches) == 2


async def test_a_planted_leak_is_found_even_if_the_heap_grows_in_steps() -> None:
    def size_of(count: int) -> int:
        return 120 * MIB + count * 500 // (4 * MIB) * (4 * MIB)

    stretches = await until_flat(Stretches(size_of))

    assert verdict(stretches[-1]) is not None
    assert len(stretches) == STRETCHES


async def test_a_flat_stretch_is_the_last() -> None:
    assert len(await until_flat(Stretches(lambda _count: 120 * MIB))) == 1
