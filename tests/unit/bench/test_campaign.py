"""Servers take turns within a scenario; each measurement that rows share is made once."""

import pytest

from bench import campaign
from bench.campaign import Outcome, plan
from bench.extras import EXTRAS
from bench.goals import ROWS
from bench.performance import parse
from bench.proof import extras_of, grid_of
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import SERVERS, Server


@pytest.fixture(autouse=True)
def _everything_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def obstacle(server: Server, _scenario: Scenario) -> str | None:
        return "no Node" if server.name == "node-relay" else None

    monkeypatch.setattr(campaign, "obstacle", obstacle)


def test_another_server_begins_in_each_round_and_the_absent_are_told() -> None:
    options, outcome = parse(["--rounds", "3"]).options, Outcome()
    grid = {"pair": ("stateroom", "node-relay", "workerd"), "many": ("stateroom",)}
    steps = [(step.round, step.scenario, step.server) for step in plan(grid, options, outcome)]
    assert steps == [
        (0, "pair", "stateroom"),
        (0, "pair", "workerd"),
        (0, "many", "stateroom"),
        (1, "pair", "workerd"),
        (1, "pair", "stateroom"),
        (1, "many", "stateroom"),
        (2, "pair", "stateroom"),
        (2, "pair", "workerd"),
        (2, "many", "stateroom"),
    ]
    assert set(outcome.skipped.values()) == {"no Node"}


def test_what_rows_share_is_measured_once() -> None:
    rows = [ROWS["pair"], ROWS["durability"], ROWS["many"]]
    assert grid_of(rows) == {
        "pair": ("stateroom", "node-file", "workerd", "node-relay", "stateroom-none"),
        "many": ("stateroom", "workerd"),
    }
    assert extras_of(rows) == [EXTRAS["pgbench"]]


def test_every_row_names_what_there_is() -> None:
    for scenario, servers in grid_of(list(ROWS.values())).items():
        assert scenario in SCENARIOS
        assert set(servers) <= SERVERS.keys()
    assert extras_of(list(ROWS.values()))
    profiled = [row.profiled for row in ROWS.values() if row.profiled is not None]
    assert all(server in SERVERS and scenario in SCENARIOS for server, scenario in profiled)


@pytest.mark.parametrize("arguments", [["--rows", "pair,nothing"], ["--rounds", "0"]])
def test_a_senseless_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2


def test_a_part_of_the_rows_does_not_overwrite_the_page() -> None:
    assert parse([]).page.name == "performance.md"
    assert parse(["--rows", "pair"]).page.name != "performance.md"
    assert parse(["--quick"]).page.name != "performance.md"
