"""The verdict of `bench.churn`."""

from bench.churn import left_by_each, verdict

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
