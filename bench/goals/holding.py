"""Rows about joins, memory, workers and commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.columns import number
from bench.goals.comparing import (
    BELOW,
    FILE,
    OURS,
    WORKERD,
    against,
    at_least,
    at_most,
    cpu,
    latency,
    rate,
    renamed,
    told,
)
from bench.goals.row import Row
from bench.verdicts import Claim

if TYPE_CHECKING:
    from bench.seen import Seen

KIB = 1024.0
TWO = "stateroom-2"


def _join(seen: Seen) -> list[Claim]:
    return [
        latency(seen, "join", FILE, bound=at_most(1 / 5)),
        latency(seen, "join", WORKERD, bound=at_most(1 / 3)),
        cpu(seen, "join", FILE, bound=at_most(1 / 5), per="join"),
        cpu(seen, "join", WORKERD, bound=at_most(1 / 3), per="join"),
    ]


def _join_crowd(seen: Seen) -> list[Claim]:
    return [
        against(seen, "join-crowd", "total time : bare server", at_most(1.5)),
        against(seen, "join-crowd", "memory growth : snapshot", at_most(2.0)),
        against(seen, "join-crowd", "p99 of other rooms : before", at_most(2.0)),
        *_rest(seen, "join-crowd", ":"),
    ]


def _loading(seen: Seen) -> list[Claim]:
    bound = at_most(20.0)
    name = "longest stall while loading"
    return [against(seen, "loading", name, bound), *_rest(seen, "loading", name)]


def _idle(seen: Seen) -> list[Claim]:
    name = "idle connection at 5,000"
    return [
        against(seen, "idle", name, at_most(8, 16), divisor=KIB, unit="KiB"),
        _below_node(seen, name),
        *(claim for claim in told(seen, "idle") if "TinyBase" in claim.text),
    ]


def _below_node(seen: Seen, name: str) -> Claim:
    text = f"{name} : Node ws"
    mine, theirs = seen.one_of("idle", name), seen.one_of("idle", f"{name}, Node ws")
    if mine is None or theirs is None:
        reason = seen.failures.get("idle", "one of the two was not measured")
        return Claim(text=text, measured=reason, value=None, bound=BELOW)
    notes = f"{mine.value / KIB:.1f} KiB : {theirs.value / KIB:.1f} KiB"
    return Claim(text=text, measured=notes, value=mine.value / theirs.value, bound=BELOW)


def _hibernated(seen: Seen) -> list[Claim]:
    name = "hibernated room with one socket"
    return [against(seen, "hibernated", name, at_most(12), divisor=KIB, unit="KiB")]


def _active(seen: Seen) -> list[Claim]:
    name = "active room of 10 rows"
    return [against(seen, "active", name, at_most(20), divisor=KIB, unit="KiB")]


def _workers(seen: Seen) -> list[Claim]:
    return [
        claim
        for scenario in ("rooms", "many")
        for claim in (
            _work_done(seen, scenario),
            renamed(f"{scenario}: ", rate(seen, scenario, OURS, bound=None, ours=TWO)),
        )
    ]


def _work_done(seen: Seen, scenario: str) -> Claim:
    """Messages a CPU-second of our processes, which is the inverse of CPU a message."""
    text = f"{scenario}: messages a server CPU-second, 2 workers : 1"
    bound = at_least(0.85)
    two, one = seen.figures(TWO, scenario), seen.figures(OURS, scenario)
    faults = seen.faults(TWO, scenario) or seen.faults(OURS, scenario)
    if two is None or one is None:
        reason = "one of the two was not measured"
        return Claim(text=text, measured=reason, value=None, bound=bound, faults=faults)
    first, second = 1e6 / two.server_us_per_message, 1e6 / one.server_us_per_message
    notes = f"{number(first)} : {number(second)}"
    return Claim(text=text, measured=notes, value=first / second, bound=bound, faults=faults)


def _commits(seen: Seen) -> list[Claim]:
    return told(seen, "commits")


def _rest(seen: Seen, extra: str, judged: str) -> list[Claim]:
    """Everything else that a measurement tells; `judged` is in the names of what was judged."""
    return [claim for claim in told(seen, extra) if judged not in claim.text]


HOLDING = (
    Row(
        name="join",
        case="join of a fresh client, 20,000 rows x 4 cells: time to last byte, CPU",
        wanted="at most 1/5 of Node, 1/3 of workerd",
        judge=_join,
        cells={"join": (OURS, FILE, WORKERD)},
        profiled=(OURS, "join"),
        decisions=(36,),
    ),
    Row(
        name="join-crowd",
        case="500 clients join the same 10 MB room at once",
        wanted="total time at most 1.5 x a bare server writing the same prebuilt bytes to 500 "
        "sockets; memory grows by less than 2 x the snapshot; other rooms' p99 at most doubles",
        judge=_join_crowd,
        extras=("join-crowd",),
        decisions=(36,),
    ),
    Row(
        name="loading",
        case="loading a large room beside other rooms",
        wanted="no stall of the event loop over 20 ms",
        judge=_loading,
        extras=("loading",),
        decisions=(36,),
    ),
    Row(
        name="idle",
        case="idle connections: memory each at 5,000",
        wanted="at most 8 KiB above the room, below Node ws (16 KiB)",
        judge=_idle,
        extras=("idle",),
        decisions=(31, 37),
    ),
    Row(
        name="hibernated",
        case="hibernated room with one socket",
        wanted="at most 12 KiB",
        judge=_hibernated,
        extras=("hibernated",),
        decisions=(37,),
    ),
    Row(
        name="active",
        case="active rooms: memory each (10 rows)",
        wanted="at most 20 KiB",
        judge=_active,
        extras=("active",),
        decisions=(37,),
    ),
    Row(
        name="workers",
        case="workers 1 -> 2",
        wanted="messages per server CPU-second at least 0.85 of one worker's; wall-clock scaling "
        "where cores are free",
        judge=_workers,
        cells={"rooms": (OURS, TWO), "many": (OURS, TWO)},
        profiled=(TWO, "rooms"),
        decisions=(32,),
    ),
    Row(
        name="commits",
        case="the commit path with 1, 100 and 10,000 active rooms",
        wanted="reported",
        judge=_commits,
        extras=("commits",),
        decisions=(35,),
    ),
)
