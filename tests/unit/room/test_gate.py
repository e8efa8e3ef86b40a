"""The output gate, by itself."""

from app.room.gate import OutputGate


def test_an_output_with_nothing_to_wait_for_leaves_at_once() -> None:
    gate: OutputGate[str] = OutputGate()
    assert gate.open
    assert gate.offer(["a", "b"]) == ["a", "b"]


def test_58_what_is_said_before_a_write_is_not_delayed_by_it_and_what_follows_is() -> None:
    gate: OutputGate[str] = OutputGate()
    assert gate.offer(["before"]) == ["before"]
    gate.require(1)
    assert not gate.open
    assert gate.offer(["after"]) == ()
    assert gate.confirm(1) == ["after"]
    assert gate.open


def test_outputs_leave_in_the_order_they_were_made_whatever_they_wait_for() -> None:
    gate: OutputGate[str] = OutputGate()
    gate.require(1)
    gate.offer(["one"])
    gate.require(3)
    gate.offer(["three"])
    assert gate.held == 2
    assert gate.confirm(1) == ["one"]
    assert gate.confirm(2) == []
    assert gate.confirm(3) == ["three"]
    assert gate.held == 0


def test_an_output_that_waits_for_nothing_itself_stays_behind_those_that_are_held() -> None:
    gate: OutputGate[str] = OutputGate()
    gate.require(2)
    gate.offer(["held"])
    assert gate.confirm(1) == []
    assert gate.offer(["later"]) == ()
    assert gate.confirm(2) == ["held", "later"]


def test_a_requirement_never_becomes_less() -> None:
    gate: OutputGate[str] = OutputGate()
    gate.require(2)
    gate.require(1)
    assert gate.offer(["x"]) == ()
    assert gate.confirm(1) == []


def test_invariant_5_a_broken_gate_drops_what_it_held_and_never_heals() -> None:
    gate: OutputGate[str] = OutputGate()
    gate.require(1)
    gate.offer(["held"])
    gate.break_()
    assert gate.held == 0
    assert gate.offer(["later"]) == ()
    assert gate.confirm(1) == []
    assert not gate.open
    assert gate.offer(["even later"]) == ()


def test_the_gate_knows_how_much_it_holds() -> None:
    gate: OutputGate[str] = OutputGate()
    gate.offer(["free"], size_bytes=100)
    gate.require(1)
    gate.offer(["a"], size_bytes=3)
    gate.require(2)
    gate.offer(["b"], size_bytes=4)
    sizes = [gate.held_bytes]
    for batch in (1, 2):
        gate.confirm(batch)
        sizes.append(gate.held_bytes)
    gate.require(3)
    gate.offer(["c"], size_bytes=5)
    gate.break_()
    assert [*sizes, gate.held_bytes] == [7, 4, 0, 0]
