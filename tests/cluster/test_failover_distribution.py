"""Fifty owners are struck while a client keeps asking: each room answers again, and how soon.

The figures are printed (`-rP`). They are judged by `python -m bench.failover --check` on a machine
that does nothing else; here only that every room comes back.
"""

import random

import pytest
from rich.console import Console
from rich.progress import Progress

from bench.failover import measure, percentile, table_of
from bench.faults import GIVE_UP_SECONDS, SCENARIOS, Fault, Scenario

LEASE_SECONDS = 3.0
SEED = 20_240_607
STRIKES = {
    Fault.WORKER_KILLED: 10,
    Fault.NODE_LOST: 5,
    Fault.WORKER_FROZEN: 5,
    Fault.NODE_FROZEN: 5,
}

pytestmark = pytest.mark.timeout(600)

DIRECT = [scenario for scenario in SCENARIOS if not scenario.proxied]
PROXIED = [scenario for scenario in SCENARIOS if scenario.proxied]


async def strike_and_tell(scenario: Scenario) -> None:
    console = Console(width=120)
    with Progress(console=Console(quiet=True)) as nothing:
        found = await measure(
            [scenario],
            kills=STRIKES[scenario.fault],
            clusters=1,
            lease_seconds=LEASE_SECONDS,
            seed=SEED,
            tick=nothing,
        )
    console.print(table_of(found, lease_seconds=LEASE_SECONDS))
    (outages,) = found.values()
    assert len(outages) == STRIKES[scenario.fault]
    assert all(0 < seconds < GIVE_UP_SECONDS for seconds in outages)


@pytest.mark.parametrize("scenario", DIRECT, ids=str)
async def test_a_room_whose_owner_is_struck_answers_again(scenario: Scenario) -> None:
    await strike_and_tell(scenario)


@pytest.mark.usefixtures("haproxy")
@pytest.mark.parametrize("scenario", PROXIED, ids=str)
async def test_a_room_whose_owner_is_struck_answers_again_through_a_proxy(
    scenario: Scenario,
) -> None:
    await strike_and_tell(scenario)


def test_fifty_are_struck() -> None:
    assert sum(STRIKES[scenario.fault] for scenario in SCENARIOS) == 50


def test_a_percentile_is_one_of_the_values_and_leaves_no_more_above_it_than_its_part() -> None:
    chance = random.Random(SEED)
    for count in (1, 2, 10, 50, 99, 100, 300):
        values = [chance.random() for _ in range(count)]
        for part in (0.5, 0.9, 0.95, 0.99, 1.0):
            found = percentile(values, part)
            assert found in values
            assert sum(value > found for value in values) <= count * (1 - part) + 1e-9
