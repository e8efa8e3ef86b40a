"""A protocol that is broken on purpose does not get far: the invariants can fail.

The steps are deterministic; the bounds leave room for other versions of Python's generator. A
variant that is caught only in a rare place is looked for where its fault is more frequent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.simulation.cluster import Cluster
from tests.simulation.variants import BROKEN
from tests.simulation.world import Violation

SEEDS = range(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What a variant is caught by, within how many steps, and what to do more often."""

    says: str
    within: int
    focus: Mapping[str, float]


_TOO_LATE = "after its deadline|had ended in the database|is served under|was answered for under"
_STOPS: Mapping[str, float] = {"freeze_node": 3, "pause": 2, "crash": 0.1, "lose_node": 0}

HUNTS: dict[str, Hunt] = {
    "fence-removed": Hunt(says="was applied after commit|has claimed", within=1_000, focus={}),
    "fence-by-select": Hunt(
        says="was applied after commit|has claimed",
        within=10_000,
        focus={"slow_statement": 3, "copied_request": 2, "crash": 2},
    ),
    "no-commit-number": Hunt(says="was applied after commit", within=2_500, focus={}),
    "settles-by-a-read": Hunt(
        says="before its commit was safe",
        within=20_000,
        focus={"stall_standby": 3, "broken_wait": 2},
    ),
    "renewal-revives": Hunt(
        says="had ended and was extended", within=2_500, focus={"copied_request": 2.5}
    ),
    "loads-in-the-claim": Hunt(
        says="opened with", within=40_000, focus={"crash": 3, "slow_lock": 2, "pause": 0.3}
    ),
    "speaks-after-its-lease": Hunt(says=_TOO_LATE, within=20_000, focus=_STOPS),
    "buries-the-living": Hunt(
        says=_TOO_LATE,
        within=20_000,
        focus={"pause": 4},
    ),
    "buries-by-place": Hunt(
        says=_TOO_LATE,
        within=40_000,
        focus={"crash": 2, "copied_request": 2},
    ),
    "no-margin": Hunt(says=_TOO_LATE, within=40_000, focus={}),
    "nobody-ends-a-lease": Hunt(
        says="after the last fault an object was not written yet",
        within=60_000,
        focus={"lose_node": 5},
    ),
    "counts-from-the-answer": Hunt(says=_TOO_LATE, within=40_000, focus={}),
}


def test_every_variant_is_hunted() -> None:
    assert set(HUNTS) == set(BROKEN)


@pytest.mark.parametrize("name", HUNTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_protocol_is_caught(name: str, seed: int) -> None:
    hunt = HUNTS[name]
    cluster = Cluster(seed, BROKEN[name](), focus=hunt.focus)
    with pytest.raises(Violation, match=hunt.says):
        cluster.run(hunt.within)


@pytest.mark.parametrize("name", HUNTS)
def test_the_protocol_as_it_is_survives_the_same_hunt(name: str) -> None:
    Cluster(0, focus=HUNTS[name].focus).run(20_000)
