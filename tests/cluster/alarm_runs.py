"""What the lines of a ledger say about its alarms. Pure.

A line `set-...` asked for a run; a run writes `begin-R` in a commit of its own and `end-R` in the
commit that ends it. A begun run without an end had no effect but its first line: its worker died,
or it lost the object. The commit numbers order the lines, so overlapping runs show as a line of
somebody else between a begin and its end.
"""

from collections.abc import Sequence

from tests.cluster.ledger_history import Line

SET, BEGIN, END = "set-", "begin-", "end-"
OF_RUNS = (BEGIN, END)
"""How the lines begin that nobody but a run writes."""


def waiting(lines: Sequence[Line]) -> list[Line]:
    """The settings that no run has followed yet."""
    latest = max((place for place, text in lines if text.startswith(END)), default=0)
    return [(place, text) for place, text in lines if text.startswith(SET) and place > latest]


def runs(lines: Sequence[Line]) -> int:
    """How many runs have ended."""
    return sum(text.startswith(END) for _, text in lines)


def overlaps(lines: Sequence[Line]) -> list[str]:
    """Runs with committed effects that something else came between, in words."""
    found = []
    ended: set[str] = set()
    for (_, before), (place, text) in zip([(0, ""), *lines], lines, strict=False):
        if not text.startswith(END):
            continue
        run = text.removeprefix(END)
        if before != f"{BEGIN}{run}":
            found.append(f"run {run} ended at {place}, right behind {before!r}")
        if run in ended:
            found.append(f"run {run} ended twice, again at {place}")
        ended.add(run)
    return found
