"""A million steps of the lease protocol under faults, and no invariant is violated.

A violation prints its seed and step; `python -m tests.simulation --seed S --steps N` replays it.
"""

from collections import Counter

import pytest

from tests.simulation.__main__ import main
from tests.simulation.cluster import Cluster
from tests.simulation.swarm import FAULTS_PER_SECOND

SEEDS = range(20)
STEPS = 50_000


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_nothing_acknowledged_is_lost_and_nobody_speaks_out_of_turn(
    seed: int,
) -> None:
    cluster = Cluster(seed)
    cluster.run(STEPS)
    assert cluster.world.steps == STEPS
    # Or the walk proves nothing.
    seen = cluster.oracle.seen
    assert seen["answers"] > 1_000
    assert seen["rooms opened"] > 100
    assert seen["commits refused by the fence"] > 10
    assert seen["unknown outcomes settled by a write"] > 10
    assert seen["commits that met a locked row"] > 10
    assert seen["answers held back after the deadline"] > 0
    assert set(cluster.faults) == set(FAULTS_PER_SECOND)
    assert cluster.calms > 10


def test_the_same_seed_takes_the_same_steps() -> None:
    first, second, other = Cluster(7), Cluster(7), Cluster(8)
    for cluster in (first, second, other):
        cluster.run(5_000)
    assert trace(first) == trace(second)
    assert trace(first) != trace(other)


def trace(cluster: Cluster) -> tuple[float, Counter[str], Counter[str], float]:
    return cluster.world.now, cluster.oracle.seen, cluster.faults, cluster.world.chance.random()


def test_the_command_says_what_happened(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["simulation", "--steps", "3000", "--seed", "3"])
    assert main() == 0
    assert "answers" in capsys.readouterr().out


def test_the_command_fails_and_names_the_step_when_an_invariant_does_not_hold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["simulation", "--steps", "3000", "--seed", "3", "--variant", "fence-removed"]
    monkeypatch.setattr("sys.argv", arguments)
    assert main() == 1
    assert "violated seed 3, step " in capsys.readouterr().out
