"""The arithmetic of `bench.memory`."""

from bench.memory import CASES, MemoryFigure, report

KIB = 1024


def figure(*, lost: int = 0, after: int | None = 50 << 20) -> MemoryFigure:
    return MemoryFigure(
        case=CASES["idle"],
        readings=((1_000, 60 << 20), (2_000, 75 << 20), (5_000, (60 << 20) + 4_000 * 8 * KIB)),
        before_bytes=50 << 20,
        after_bytes=after,
        lost=lost,
    )


def test_the_price_of_one_is_the_slope_between_the_first_step_and_the_last() -> None:
    assert figure().each_bytes == 8 * KIB


def test_the_report_tells_the_price_beside_its_goal() -> None:
    (line,) = report([figure()]).splitlines()[2:]

    assert line == "| connections in one room | 8.0 | 8 | 50.0 | 91.2 (5,000) | 50.0 |"


def test_the_report_does_not_hide_that_the_server_dropped_clients() -> None:
    assert "(3 dropped!)" in report([figure(lost=3, after=None)])
