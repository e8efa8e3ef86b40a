"""The rules of the input gate, without any code behind it."""

from collections.abc import Callable

import pytest

from app.room.input_gate import DEPTH, InputGate, Section, SectionState, SectionTooDeep, Ticket


class Crowd:
    """Notes who has passed, who was refused, and which sections have started."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.refused: list[str] = []
        self.started: list[str] = []

    def enter(self, gate: InputGate, name: str) -> Ticket | None:
        return gate.enter(
            lambda: self.passed.append(name), lambda _error: self.refused.append(name)
        )

    def begin(self, gate: InputGate, name: str) -> Section:
        return gate.begin_section(lambda _section: self.started.append(name))


@pytest.fixture
def gate() -> InputGate:
    return InputGate()


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


def test_one_passes_at_a_time_and_in_order(gate: InputGate, crowd: Crowd) -> None:
    for name in "abc":
        crowd.enter(gate, name)
    assert crowd.passed == ["a"]
    assert gate.waiting == 2
    gate.unlock()
    assert crowd.passed == ["a", "b"]
    gate.unlock()
    gate.unlock()
    assert crowd.passed == ["a", "b", "c"]
    assert gate.locks == 0


def test_036_who_gives_up_leaves_the_others_in_their_order(gate: InputGate, crowd: Crowd) -> None:
    tickets = [crowd.enter(gate, name) for name in "abcd"]
    assert tickets[0] is None
    for ticket in (tickets[2], tickets[2]):
        assert ticket is not None
        ticket.cancel()
    for _ in range(3):
        gate.unlock()
    assert crowd.passed == ["a", "b", "d"]


def test_nobody_passes_while_it_is_held_and_every_hold_counts(
    gate: InputGate, crowd: Crowd
) -> None:
    gate.hold()
    gate.hold()
    crowd.enter(gate, "a")
    gate.release()
    assert crowd.passed == []
    gate.release()
    assert crowd.passed == ["a"]


def test_sections_run_one_after_the_other_and_ahead_of_all_who_wait(
    gate: InputGate, crowd: Crowd
) -> None:
    gate.lock()
    crowd.enter(gate, "a")
    first, second = crowd.begin(gate, "first"), crowd.begin(gate, "second")
    gate.unlock()
    assert crowd.started == ["first"]
    first.end()
    first.end()
    assert crowd.started == ["first", "second"]
    assert crowd.passed == []
    second.end()
    assert crowd.passed == ["a"]


def test_a_section_waits_for_those_who_hold_the_gate(gate: InputGate, crowd: Crowd) -> None:
    gate.hold()
    crowd.begin(gate, "section")
    assert crowd.started == []
    gate.release()
    assert crowd.started == ["section"]


def test_what_stands_behind_a_section_passes_its_gate(gate: InputGate, crowd: Crowd) -> None:
    section = crowd.begin(gate, "section")
    crowd.enter(gate, "outside")
    crowd.enter(section, "inside")
    assert crowd.passed == ["inside"]


def test_050_an_inner_section_closes_the_outer_one(gate: InputGate, crowd: Crowd) -> None:
    outer = crowd.begin(gate, "outer")
    inner = crowd.begin(outer, "inner")
    crowd.enter(outer, "a")
    assert crowd.passed == []
    inner.end()
    assert crowd.passed == ["a"]


def test_what_outlives_its_section_stands_behind_the_gate_around_it(
    gate: InputGate, crowd: Crowd
) -> None:
    section = crowd.begin(gate, "section")
    section.hold()
    waiting = crowd.enter(section, "late")
    crowd.enter(section, "gone")
    section.end()
    assert section.place is gate
    assert (gate.locks, gate.holds) == (1, 1)
    assert waiting is not None
    waiting.cancel()
    section.release()
    assert crowd.passed == ["gone"]
    section.unlock()
    assert gate.locks == 0


def test_a_section_that_ends_takes_its_inner_ones_along(gate: InputGate, crowd: Crowd) -> None:
    outer = crowd.begin(gate, "outer")
    inner = crowd.begin(outer, "inner")
    waiting = crowd.begin(outer, "waiting")
    outer.end()
    assert {section.state for section in (outer, inner, waiting)} == {SectionState.OVER}
    assert crowd.started == ["outer", "inner"]
    assert gate.locks == 0


def test_051_sections_nest_64_deep(gate: InputGate, crowd: Crowd) -> None:
    innermost: InputGate = gate
    for depth in range(DEPTH):
        innermost = crowd.begin(innermost, str(depth))
    with pytest.raises(SectionTooDeep):
        crowd.begin(innermost, "one more")
    assert len(crowd.started) == DEPTH
    assert innermost.locks == 0


def test_a_broken_gate_refuses_whoever_waits_or_comes_with_the_first_reason(
    gate: InputGate, crowd: Crowd
) -> None:
    section = crowd.begin(gate, "section")
    crowd.enter(gate, "waiting")
    crowd.enter(section, "inside")
    crowd.enter(section, "waiting inside")
    gate.break_(ValueError("first"))
    gate.break_(ValueError("second"))
    crowd.enter(gate, "late")
    crowd.enter(section, "late inside")
    assert sorted(crowd.refused) == ["late", "late inside", "waiting", "waiting inside"]
    for broken in (gate, section):
        with pytest.raises(ValueError, match="first"):
            crowd.begin(broken, "late")
    section.end()
    assert crowd.passed == ["inside"]


@pytest.mark.parametrize("count", [3, 5_000])
def test_who_passes_may_be_done_at_once(gate: InputGate, crowd: Crowd, count: int) -> None:
    """Many who give their lock back in the very step do not pile up on the stack."""
    gate.lock()

    def pass_through(name: str) -> Callable[[], None]:
        def passed() -> None:
            crowd.passed.append(name)
            gate.unlock()

        return passed

    for number in range(count):
        gate.enter(pass_through(str(number)), lambda _error: None)
    gate.unlock()
    assert crowd.passed == [str(number) for number in range(count)]
    assert gate.locks == 0


def test_who_comes_in_the_step_of_another_does_not_jump_the_queue(
    gate: InputGate, crowd: Crowd
) -> None:
    gate.lock()

    def passed() -> None:
        crowd.passed.append("a")
        gate.unlock()
        crowd.enter(gate, "late")

    gate.enter(passed, lambda _error: None)
    crowd.enter(gate, "b")
    gate.unlock()
    gate.unlock()
    assert crowd.passed == ["a", "b", "late"]
