"""Figures are judged against a goal and a floor, and what was not measured is never met."""

import pytest

from bench.verdicts import Bound, Claim, Verdict, worst

AT_MOST = Bound(goal=0.2, floor=0.5)
AT_LEAST = Bound(goal=4.0, floor=2.5, least=True)


@pytest.mark.parametrize(
    ("bound", "value", "verdict"),
    [
        (AT_MOST, 0.2, Verdict.GOAL),
        (AT_MOST, 0.21, Verdict.FLOOR),
        (AT_MOST, 0.5, Verdict.FLOOR),
        (AT_MOST, 0.51, Verdict.MISSED),
        (AT_LEAST, 4.0, Verdict.GOAL),
        (AT_LEAST, 3.99, Verdict.FLOOR),
        (AT_LEAST, 2.49, Verdict.MISSED),
        (Bound(goal=1.0), 1.0, Verdict.GOAL),
        (Bound(goal=1.0, strict=True), 1.0, Verdict.MISSED),
        (Bound(goal=1.0, strict=True), 0.99, Verdict.GOAL),
        (Bound(goal=1.0, least=True, strict=True), 1.0, Verdict.MISSED),
    ],
)
def test_a_number_meets_the_goal_or_the_floor_or_misses(
    bound: Bound, value: float, verdict: Verdict
) -> None:
    assert bound.judge(value) is verdict


def claim(value: float | None, bound: Bound | None = AT_MOST, faults: str = "") -> Claim:
    return Claim(text="a : b", measured="", value=value, bound=bound, faults=faults)


def test_what_was_not_measured_is_not_met() -> None:
    assert claim(None).verdict is Verdict.ABSENT
    assert claim(None, bound=None).verdict is Verdict.ABSENT


def test_what_was_measured_with_faults_is_missed() -> None:
    assert claim(0.1, faults="2 of 5 rounds").verdict is Verdict.MISSED


def test_a_figure_without_a_goal_is_only_told() -> None:
    assert claim(0.1, bound=None).verdict is Verdict.REPORTED


def test_a_row_is_as_good_as_its_weakest_claim() -> None:
    told, met, floor, missed = claim(1, bound=None), claim(0.1), claim(0.3), claim(1)
    assert worst([told, met]) is Verdict.GOAL
    assert worst([met, floor, told]) is Verdict.FLOOR
    assert worst([met, claim(None), floor]) is Verdict.ABSENT
    assert worst([claim(None), missed, met]) is Verdict.MISSED
    assert worst([told]) is Verdict.REPORTED
    assert worst([]) is Verdict.ABSENT
