"""The capacity that a load asks for, and the page that shows it."""

from dataclasses import replace

from bench.capacity import EXAMPLES, Load, plan, table
from tests.architecture.sources import ROOT


def test_the_page_shows_what_the_calculator_prints() -> None:
    page = (ROOT / "docs/operations/capacity.md").read_text("utf-8")
    assert table(EXAMPLES) in page, "paste what `python -m bench.capacity` prints"


def test_every_part_of_a_load_asks_for_more_of_something() -> None:
    load = Load()
    for name, value in {
        "rooms": 10**6,
        "rows": 100,
        "connections": 10**5,
        "awake": 10**5,
        "messages": 10**5,
        "recipients": 100,
        "history_days": 30,
        "busy_hours": 24,
    }.items():
        before, after = plan(load), plan(replace(load, **{name: value}))
        assert after != before, name
        assert after.disk_gib >= before.disk_gib, name
        assert after.worker_gib >= before.worker_gib, name
        assert after.worker_cores >= before.worker_cores, name


def test_there_is_always_a_worker_to_lose() -> None:
    assert plan(Load(messages=1)).workers == 2
