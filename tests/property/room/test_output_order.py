"""The output gate: order, and nothing before its batch, whatever happens in between."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.room.gate import OutputGate

_STEPS = st.lists(
    st.sampled_from(["write", "say", "say twice", "take", "confirm"]), min_size=10, max_size=60
)


@settings(max_examples=600, deadline=None)
@given(_STEPS, st.booleans())
def test_outputs_leave_in_order_and_never_before_the_writes_they_could_reveal(
    steps: list[str], breaks: bool
) -> None:
    gate: OutputGate[int] = OutputGate()
    taken = confirmed = latest = 0  # batches; `latest` is the one that the last write goes into
    needs: list[int] = []
    heard: list[int] = []
    for step in steps:
        if step == "write":
            latest = taken + 1
            gate.require(latest)
        elif step.startswith("say"):
            group = list(range(len(needs), len(needs) + step.count(" ") + 1))
            needs += [latest] * len(group)
            heard += gate.offer(group)
        elif step == "take" and taken == confirmed < latest:
            taken += 1
        elif step == "confirm" and taken > confirmed:
            confirmed = taken
            heard += gate.confirm(confirmed)
        assert heard == list(range(len(heard)))
        assert all(needs[output] <= confirmed for output in heard)
    if breaks:
        gate.break_()
        assert list(gate.offer([len(needs)])) == []
        assert gate.confirm(taken + 1) == []
    elif latest == confirmed:
        assert len(heard) == len(needs), "nothing is held without a reason"
