"""One step of a probe."""

from app.cluster.deadlock import BRANCHES, HOPS, Hop, Probe, Refusal, Sight, Wait, step, victim

A_TO_B = Wait("c1", "a", "A")
B_TO_A = Wait("c2", "b", "B")


def sight(*waits: Wait, queued: bool = True) -> Sight:
    return Sight(queued, {wait.call for wait in waits}, waits)


def follow(probe: Probe, sights: dict[str, Sight | None]) -> list[Refusal]:
    """Let a probe go on until it ends."""
    todo = [probe]
    refusals: list[Refusal] = []
    for _ in range(1_000):
        if not todo:
            return refusals
        here = todo.pop()
        for move in step(here, sights.get(here.call)):
            if isinstance(move, Refusal):
                refusals.append(move)
            else:
                todo.append(move)
    raise AssertionError("the probe does not end")


def test_a_call_to_an_object_that_waits_for_nothing_ends_the_probe() -> None:
    assert follow(Probe.along(A_TO_B), {"c1": sight()}) == []


def test_a_call_that_is_not_there_any_more_ends_the_probe() -> None:
    assert follow(Probe.along(A_TO_B), {"c1": None}) == []


def test_of_two_that_wait_for_each_other_the_greater_caller_is_refused() -> None:
    sights: dict[str, Sight | None] = {"c1": sight(B_TO_A), "c2": sight(A_TO_B)}
    for start in (A_TO_B, B_TO_A):
        assert follow(Probe.along(start), sights) == [Refusal("c2", ("B", "A"))]


def test_a_call_that_has_begun_is_not_the_one_to_be_refused() -> None:
    sights: dict[str, Sight | None] = {
        "c1": sight(B_TO_A),
        "c2": sight(A_TO_B, queued=False),
    }
    for start in (A_TO_B, B_TO_A):
        assert follow(Probe.along(start), sights) == [Refusal("c1", ("A", "B"))]


def test_nothing_is_refused_when_an_edge_is_gone_in_the_second_round() -> None:
    (found,) = step(Probe((Hop(A_TO_B, queued=True),)), sight(A_TO_B))
    assert isinstance(found, Probe)
    assert found.left == 1
    assert step(found, sight()) == []
    assert step(found, sight(A_TO_B, queued=False)) == []
    assert step(found, sight(A_TO_B)) == [Refusal("c1", ("A",))]


def test_a_ring_that_the_probe_is_not_part_of_does_not_hold_it() -> None:
    outside = Wait("c0", "z", "Z")
    sights: dict[str, Sight | None] = {
        "c0": sight(A_TO_B),
        "c1": sight(B_TO_A),
        "c2": sight(A_TO_B),
    }
    assert follow(Probe.along(outside), sights) == []


def test_probes_are_bounded_in_length_and_breadth() -> None:
    waits = tuple(Wait(f"c{n}", f"{n:03}", f"O{n}") for n in range(HOPS + 10))
    chain: dict[str, Sight | None] = {waits[n].call: sight(waits[n + 1]) for n in range(HOPS + 9)}
    chain[waits[-1].call] = sight(waits[0])
    assert follow(Probe.along(waits[0]), chain) == []
    assert len(step(Probe.along(Wait("x", "x", "X")), sight(*waits))) == BRANCHES


def test_a_probe_crosses_a_link_as_it_was() -> None:
    probe = Probe((Hop(A_TO_B, queued=True), Hop(B_TO_A, queued=False)), at=1, left=-1)
    assert Probe.from_json(probe.to_json()) == probe


def test_what_is_no_probe_is_none() -> None:
    good = Probe.along(A_TO_B).to_json()
    odd: list[object] = [
        None,
        [],
        {},
        good | {"at": 1},
        good | {"hops": [["a"]]},
        good | {"at": -1},
    ]
    for told in odd:
        assert Probe.from_json(told) is None


def test_without_a_waiting_call_there_is_no_victim() -> None:
    assert victim([Hop(A_TO_B, queued=False)]) is None
