"""Rows about messages that flow: CPU, latency and rate beside the peers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.goals.comparing import (
    BELOW,
    FILE,
    OURS,
    RELAY,
    WORKERD,
    at_least,
    at_most,
    cpu,
    latency,
    rate,
    renamed,
)
from bench.goals.row import Row
from bench.verdicts import Bound, Claim

if TYPE_CHECKING:
    from bench.seen import Seen

RELAXED, NONE, UVICORN = "stateroom-relaxed", "stateroom-none", "stateroom-uvicorn"
ROOM_PATH_DECISIONS = (31, 33, 34)


def _pair(seen: Seen) -> list[Claim]:
    return [
        cpu(seen, "pair", FILE, bound=at_most(1 / 2), per="message"),
        cpu(seen, "pair", WORKERD, bound=at_most(1 / 4), per="message"),
        latency(seen, "pair", WORKERD, bound=BELOW),
        cpu(seen, "pair", RELAY, bound=None, per="message"),
    ]


def _relaxed(seen: Seen) -> list[Claim]:
    return [
        cpu(seen, "pair", FILE, bound=at_most(1 / 6), ours=RELAXED, per="message"),
        cpu(seen, "pair", RELAY, bound=BELOW, ours=RELAXED, per="message"),
        cpu(seen, "pair", WORKERD, bound=None, ours=RELAXED, per="message"),
    ]


def _rooms(seen: Seen) -> list[Claim]:
    return [
        cpu(seen, "rooms", FILE, bound=at_most(1 / 5, 1 / 3)),
        cpu(seen, "rooms", WORKERD, bound=at_most(1 / 15, 1 / 10)),
        cpu(seen, "rooms", RELAY, bound=at_most(0.65, 0.9)),
    ]


def _crowd(seen: Seen) -> list[Claim]:
    return [
        cpu(seen, "crowd", FILE, bound=at_most(0.4, 0.6)),
        cpu(seen, "crowd", RELAY, bound=at_most(0.55, 0.8)),
        cpu(seen, "crowd", WORKERD, bound=None),
    ]


def _throng(seen: Seen) -> list[Claim]:
    return [
        cpu(seen, "throng", FILE, bound=at_most(0.4, 0.6)),
        cpu(seen, "throng", RELAY, bound=at_most(0.55, 0.8)),
    ]


def _durability(seen: Seen) -> list[Claim]:
    text = "p50 of commit minus none : one single-row commit of pgbench"
    bound = at_most(1.5)
    with_it, without = seen.figures(OURS, "pair"), seen.figures(NONE, "pair")
    commits = {
        kind: figure.value
        for kind in ("upsert", "insert")
        if (figure := seen.one_of("pgbench", f"pgbench {kind}, 1 client: p50")) is not None
    }
    faults = seen.faults(OURS, "pair")
    if with_it is None or without is None or not commits:
        reason = seen.failures.get("pgbench", "one of the three was not measured")
        return [Claim(text=text, measured=reason, value=None, bound=bound, faults=faults)]
    added, fastest = with_it.p50_ms - without.p50_ms, min(commits.values())
    each = ", ".join(f"{kind} {value:.3f} ms" for kind, value in commits.items())
    notes = f"{with_it.p50_ms:.3f} - {without.p50_ms:.3f} = {added:.3f} ms; {each}"
    value = added / fastest
    return [Claim(text=text, measured=notes, value=value, bound=bound, faults=faults)]


def _many(seen: Seen) -> list[Claim]:
    return [
        _against_pgbench(seen, at_least(4.0, 2.5)),
        rate(seen, "many", WORKERD, bound=at_least(10)),
        _cpu_of_a_commit(seen),
        _room_of_the_machine(seen),
    ]


def _cpu_of_a_commit(seen: Seen) -> Claim:
    """What a durable message costs beside a bare commit, wherever the cores are shared."""
    text = "CPU a durable message (server, Postgres) : of a commit of pgbench (pgbench, Postgres)"
    mine = seen.figures(OURS, "many")
    costs = [
        figure.value
        for kind in ("upsert", "insert")
        if (figure := seen.one_of("pgbench", f"pgbench {kind}, 8 clients: CPU")) is not None
    ]
    if mine is None or not costs:
        return Claim(text=text, measured="one of the two was not measured", value=None)
    total, least = mine.total_us_per_message, min(costs)
    notes = f"{total:.1f} us : {least:.1f} us"
    return Claim(text=text, measured=notes, value=total / least)


def _room_of_the_machine(seen: Seen) -> Claim:
    """What a server that costs nothing would reach here, beside this generator and Postgres."""
    text = "the same if the server cost nothing: all cores for the generator and Postgres"
    mine = seen.figures(OURS, "many")
    best = max(
        (
            figure.value
            for kind in ("upsert", "insert")
            if (figure := seen.one_of("pgbench", f"pgbench {kind}, 8 clients")) is not None
        ),
        default=0.0,
    )
    if mine is None or not best or not mine.messages_per_second:
        return Claim(text=text, measured="one of the two was not measured", value=None)
    generator = mine.generator_share / mine.messages_per_second * 1e6
    server, postgres = mine.server_us_per_message, mine.postgres_us_per_message
    most = (os.cpu_count() or 1) * 1e6 / (generator + postgres)
    notes = (
        f"a message costs generator {generator:.1f}, Postgres {postgres:.1f}, server "
        f"{server:.1f} us; without the last {most:,.0f} messages/s"
    )
    return Claim(text=text, measured=notes, value=most / best)


def _against_pgbench(seen: Seen, bound: Bound) -> Claim:
    text = "durable messages a second : best single-row commits a second of pgbench, 8 clients"
    mine = seen.figures(OURS, "many")
    rates = {
        kind: figure.value
        for kind in ("upsert", "insert")
        if (figure := seen.one_of("pgbench", f"pgbench {kind}, 8 clients")) is not None
    }
    faults = seen.faults(OURS, "many")
    if mine is None or not rates:
        reason = seen.failures.get("pgbench", "one of the two was not measured")
        return Claim(text=text, measured=reason, value=None, bound=bound, faults=faults)
    each = ", ".join(f"{kind} {value:,.0f}" for kind, value in rates.items())
    return Claim(
        text=text,
        measured=f"{mine.messages_per_second:,.0f} : {each}; generator "
        f"{mine.generator_share:.0%} of a core",
        value=mine.messages_per_second / max(rates.values()),
        bound=bound,
        faults=faults,
    )


def _uvicorn(seen: Seen) -> list[Claim]:
    shapes = (("pair", "message"), ("rooms", "delivery"), ("crowd", "delivery"))
    return [
        claim
        for scenario, per in shapes
        for claim in (
            renamed(f"{scenario}: ", cpu(seen, scenario, UVICORN, bound=None, per=per)),
            renamed(f"{scenario}: ", latency(seen, scenario, UVICORN, bound=None)),
        )
    ]


TRAFFIC = (
    Row(
        name="pair",
        case="persisted room, 2 clients, window 1, `commit`: server CPU a message, p50",
        wanted="at most 1/2 of Node with file persister and 1/4 of workerd; p50 below workerd's",
        judge=_pair,
        cells={"pair": (OURS, FILE, WORKERD, RELAY)},
        profiled=(OURS, "pair"),
        decisions=(31, 34, 35, 40),
    ),
    Row(
        name="relaxed",
        case="the same with `relaxed`: server CPU a message",
        wanted="at most 1/6 of Node with file persister; below Node without persister",
        judge=_relaxed,
        cells={"pair": (RELAXED, FILE, WORKERD, RELAY)},
        profiled=(RELAXED, "pair"),
        decisions=ROOM_PATH_DECISIONS,
    ),
    Row(
        name="rooms",
        case="10 rooms x 5, window 4, `commit`: CPU a delivery",
        wanted="at most 1/5 of Node with persister, 1/15 of workerd, 0.65 of Node without "
        "persister (1/3, 1/10, 0.9)",
        judge=_rooms,
        cells={"rooms": (OURS, FILE, WORKERD, RELAY)},
        profiled=(OURS, "rooms"),
        decisions=ROOM_PATH_DECISIONS,
    ),
    Row(
        name="crowd",
        case="1 room x 100, `commit`: CPU a delivery",
        wanted="at most 0.4 of Node with persister and 0.55 of Node without (0.6, 0.8)",
        judge=_crowd,
        cells={"crowd": (OURS, FILE, WORKERD, RELAY)},
        profiled=(OURS, "crowd"),
        decisions=ROOM_PATH_DECISIONS,
    ),
    Row(
        name="throng",
        case="1 room x 1,000, `commit`: CPU a delivery",
        wanted="at most 0.4 of Node with persister and 0.55 of Node without (0.6, 0.8)",
        judge=_throng,
        cells={"throng": (OURS, FILE, RELAY)},
        profiled=(OURS, "throng"),
        decisions=ROOM_PATH_DECISIONS,
    ),
    Row(
        name="durability",
        case="added latency of durability (p50, 2 clients): commit minus none",
        wanted="at most 1.5 x one pgbench single-row commit on the same database",
        judge=_durability,
        cells={"pair": (OURS, NONE)},
        extras=("pgbench",),
        profiled=(OURS, "pair"),
        decisions=(35, 40),
        reading="pgbench commits one row with one client; the faster of an upsert and an insert "
        "is the measure.",
    ),
    Row(
        name="many",
        case="durable messages/s over 100 rooms of 2, window 4",
        wanted="at least 4 x (2.5 x) the best pgbench single-row transactions/s (8 clients); at "
        "least 10 x workerd",
        judge=_many,
        cells={"many": (OURS, WORKERD)},
        extras=("pgbench",),
        profiled=(OURS, "many"),
        decisions=(34, 35, 40),
        reading="The server, Postgres and the load generator share the cores here, pgbench shares "
        "them with Postgres alone.",
    ),
    Row(
        name="uvicorn",
        case="uvicorn's own classes against our transport",
        wanted="reported",
        judge=_uvicorn,
        cells={
            "pair": (OURS, UVICORN),
            "rooms": (OURS, UVICORN),
            "crowd": (OURS, UVICORN),
        },
        decisions=(31,),
    ),
)
