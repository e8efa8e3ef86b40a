"""Several nodes of several workers under load, and everything that can go wrong, in any order."""

import random
from pathlib import Path

import pytest

from tests.cluster.chaos import Round, cluster_in, plan
from tests.cluster.faults import Fault

FAULTS = 22
TEST_SECONDS = 600


@pytest.mark.timeout(TEST_SECONDS)
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_fault_and_no_two_faults_at_once_make_a_cluster_lie(
    folder: Path, seed: int
) -> None:
    chance = random.Random(seed)
    faults = list(plan(chance, FAULTS))
    print(f"seed {seed}")  # noqa: T201 - the schedule of a failure is read from here
    async with cluster_in(folder, nodes=2, tell=print) as cluster:
        await Round(cluster, chance).run(faults)
        print(cluster.tally)  # noqa: T201 - likewise
        found = cluster.tally.violations + cluster.new_log_faults()
        assert not found, "\n".join(found)
    assert set(cluster.tally.faults) == set(Fault)
