"""The page tells every figure, met or missed, and the profile of what was missed."""

from bench.goals import ROWS
from bench.options import Options
from bench.page import Judged, page
from bench.performance import parse
from bench.profiles import Profile, Spent
from tests.unit.bench.figures_of import cell, seen


def options() -> Options:
    return parse(["--quick"]).options


CELLS = (
    cell("stateroom", "pair", server_cpu_seconds=0.3, p50_ms=0.4),
    cell("node-file", "pair", server_cpu_seconds=1.0, cpu_at_last_delivery_seconds=0.5),
    cell("workerd", "pair", server_cpu_seconds=2.0, cpu_at_last_delivery_seconds=2.0),
)


def written(*, profile: Profile | str | None = None, others_share: float = 0.0) -> str:
    found = seen(*CELLS, cell("node-relay", "pair", others_share=others_share))
    row = ROWS["pair"]
    return page([Judged(row=row, claims=row.judge(found), profile=profile)], found, options())


def line(text: str, start: str) -> str:
    return next(each for each in text.splitlines() if each.startswith(start))


def test_a_missed_goal_is_printed_with_its_figures() -> None:
    text = written()
    missed = line(text, "| CPU a message, `stateroom` : `node-file`")
    assert missed.endswith("| 0.60x | ≤ 0.5 |  | **missed** |")
    met = line(text, "| CPU a message, `stateroom` : `workerd`")
    assert met.endswith("| 0.15x | ≤ 0.25 |  | goal met |")
    assert line(text, "| [persisted room").endswith("| **missed** |")


def test_a_missed_row_is_followed_by_where_the_time_goes() -> None:
    costly = Spent(place="take (app/room/room.py)", own=0.25, total=0.5)
    text = written(profile=Profile(top=[costly], samples=800))
    assert "in `pair`, Postgres apart (800 samples)" in text
    assert "| `take (app/room/room.py)` | 25.0% | 50.0% |" in text
    assert "no profile (py-spy is not installed)" in written(profile="py-spy is not installed")


def test_a_busy_machine_is_warned_of_at_the_top() -> None:
    assert "Others used up to 60% of the machine" in written(others_share=0.6)
    assert "Others used" not in written()


def test_faults_are_listed() -> None:
    found = seen(*CELLS, cell("stateroom", "pair", faults=("2 deliveries\nnever arrived",)))
    row = ROWS["pair"]
    text = page([Judged(row=row, claims=row.judge(found))], found, options())
    assert "- pair on `stateroom`, round 1: 2 deliveries never arrived" in text
