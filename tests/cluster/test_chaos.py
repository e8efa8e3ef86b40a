"""Several nodes of several workers under load, and everything that can go wrong, in any order.

The seed of a run is printed, and what happened when; a failure shows both. `make soak` does the
same for as long as one likes.
"""

import random
from itertools import chain
from pathlib import Path

import pytest

from tests.cluster.chaos import Round, cluster_in, plan_of
from tests.cluster.faults import Fault

FAULTS = len(Fault)
BUSY_MACHINE_SECONDS = 150.0
TEST_SECONDS = 900


@pytest.mark.timeout(TEST_SECONDS)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_fault_and_no_two_faults_at_once_make_a_cluster_lie(
    folder: Path, seed: int
) -> None:
    chance = random.Random(seed)
    faults = plan_of(chance, FAULTS)
    print(f"seed {seed}")  # noqa: T201 - the schedule of a failure is read from here
    async with cluster_in(folder, nodes=2, tell=print) as cluster:
        await Round(cluster, chance, recovery_seconds=BUSY_MACHINE_SECONDS).run(faults)
        print(cluster.tally)  # noqa: T201 - likewise
        found = cluster.tally.violations + cluster.new_log_faults()
        assert not found, "\n".join(found)
    assert set(cluster.tally.faults) == set(Fault)
    assert cluster.tally.alarms > 0


def test_every_kind_of_fault_comes_once_before_any_comes_again() -> None:
    planned = plan_of(random.Random(7), 3 * len(Fault))
    struck = list(chain.from_iterable(planned))
    for first in range(0, 3 * len(Fault), len(Fault)):
        assert set(struck[first : first + len(Fault)]) == set(Fault)
    assert {len(faults) for faults in planned} == {1, 2}


def test_a_seed_says_which_faults_come() -> None:
    assert plan_of(random.Random(7), 9) == plan_of(random.Random(7), 9)
    assert plan_of(random.Random(7), 9) != plan_of(random.Random(8), 9)
