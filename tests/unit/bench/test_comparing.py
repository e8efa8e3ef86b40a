"""Ours is held against the reading of a peer that is kinder to the peer; both are told."""

import os

import pytest

from bench.goals import ROWS
from bench.goals.comparing import against, at_least, at_most, cpu, latency, rate
from bench.rows import Figure
from bench.verdicts import Verdict
from tests.unit.bench.figures_of import cell, seen

OURS = cell(
    "stateroom",
    "rooms",
    server_cpu_seconds=0.04,
    postgres_cpu_seconds=0.02,
    cpu_at_last_delivery_seconds=0.05,
)
NODE = cell("node-file", "rooms", server_cpu_seconds=0.8, cpu_at_last_delivery_seconds=0.2)


def test_a_peer_is_judged_by_what_it_used_until_its_last_delivery_if_that_is_less() -> None:
    claim = cpu(seen(OURS, NODE), "rooms", "node-file", bound=at_most(0.2))
    assert claim.value == pytest.approx(0.2)
    assert claim.verdict is Verdict.GOAL
    assert claim.measured == (
        "10.0 us : 50.0 us; until it is idle 200 us, 0.05x; with Postgres 15.0 us, 0.30x"
    )


def test_a_delivery_is_the_share_of_each_servers_own_messages() -> None:
    other = cell("node-relay", "rooms", deliveries=2_000)
    claim = cpu(seen(OURS, other), "rooms", "node-relay", bound=None)
    assert claim.value == pytest.approx(10 / 50)
    whole = cpu(seen(OURS, other), "rooms", "node-relay", bound=None, per="message")
    assert whole.value == pytest.approx(40 / 100)


def test_one_of_ours_is_held_against_another_without_postgres() -> None:
    other = cell("stateroom-uvicorn", "rooms", server_cpu_seconds=0.08, postgres_cpu_seconds=0.02)
    claim = cpu(seen(OURS, other), "rooms", "stateroom-uvicorn", bound=None)
    assert claim.value == pytest.approx(0.5)
    assert "Postgres" not in claim.measured


def test_faults_of_ours_spoil_a_claim_and_those_of_a_peer_do_not() -> None:
    broken = cell("stateroom", "rooms", faults=("2 deliveries never arrived",))
    spoilt = cpu(seen(OURS, broken, NODE), "rooms", "node-file", bound=at_most(0.2))
    assert spoilt.verdict is Verdict.MISSED
    assert spoilt.faults == "1 of 2 rounds of stateroom had faults"
    late = cell("node-file", "rooms", faults=("refused",))
    fine = cpu(seen(OURS, NODE, late), "rooms", "node-file", bound=at_most(0.2))
    assert fine.verdict is Verdict.GOAL


def test_what_was_not_measured_is_named() -> None:
    claim = latency(seen(OURS), "rooms", "workerd", bound=at_most(1))
    assert (claim.verdict, claim.measured) == (Verdict.ABSENT, "`workerd` was not measured")


def test_rates_and_latencies_are_ratios_of_medians() -> None:
    fast, slow = cell("stateroom", "many", seconds=0.5), cell("workerd", "many", p50_ms=4.0)
    assert rate(seen(fast, slow), "many", "workerd", bound=at_least(2)).verdict is Verdict.GOAL
    assert latency(seen(fast, slow), "many", "workerd", bound=None).value == pytest.approx(0.25)


def test_figures_of_other_measurements_are_medians_over_their_times() -> None:
    found = seen()
    found.extras["memory"] = [
        [Figure(name="room", value=value * 1024, unit="bytes")] for value in (9, 30, 12)
    ]
    claim = against(found, "memory", "room", at_most(12), divisor=1024, unit="KiB")
    assert (claim.value, claim.verdict, claim.measured) == (12, Verdict.GOAL, "12.0 KiB")


def test_a_failed_measurement_says_why() -> None:
    found = seen()
    found.failures["memory"] = "no sockets left"
    claim = against(found, "memory", "room", at_most(12))
    assert (claim.verdict, claim.measured) == (Verdict.ABSENT, "no sockets left")


def yardstick(upsert: float, insert: float) -> list[Figure]:
    return [
        Figure(name="pgbench upsert, 1 client: p50", value=upsert, unit="ms"),
        Figure(name="pgbench insert, 1 client: p50", value=insert, unit="ms"),
        Figure(name="pgbench upsert, 8 clients", value=1 / upsert, unit="commits/s"),
        Figure(name="pgbench insert, 8 clients", value=1 / insert, unit="commits/s"),
    ]


def test_durability_is_what_it_adds_over_the_faster_commit_of_pgbench() -> None:
    cells = cell("stateroom", "pair", p50_ms=0.5), cell("stateroom-none", "pair", p50_ms=0.1)
    [claim] = ROWS["durability"].judge(seen(*cells, pgbench=yardstick(0.3, 0.2)))
    assert claim.value == pytest.approx(2.0)
    assert claim.verdict is Verdict.MISSED


def test_durable_messages_are_held_against_the_best_rate_of_pgbench() -> None:
    cells = cell("stateroom", "many", seconds=0.05), cell("workerd", "many")
    claim, *_ = ROWS["many"].judge(seen(*cells, pgbench=yardstick(0.0002, 0.0005)))
    assert claim.value == pytest.approx(20_000 / 5_000)
    assert claim.verdict is Verdict.GOAL


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_every_row_can_be_judged_when_nothing_was_measured(row: object) -> None:
    assert isinstance(row, type(ROWS["pair"]))
    claims = row.judge(seen())
    assert all(claim.verdict is Verdict.ABSENT for claim in claims)


def test_two_workers_are_held_against_one_by_the_cpu_of_a_message() -> None:
    cells = (
        cell("stateroom", "rooms", server_cpu_seconds=0.08),
        cell("stateroom-2", "rooms", server_cpu_seconds=0.1, seconds=0.5),
    )
    work, rate_of_both, *_ = ROWS["workers"].judge(seen(*cells))
    assert work.value == pytest.approx(0.8)
    assert work.verdict is Verdict.MISSED
    assert rate_of_both.value == pytest.approx(2)
    assert rate_of_both.verdict is Verdict.REPORTED


def test_what_a_machine_has_room_for_leaves_out_the_server_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    mine = cell("stateroom", "many", seconds=0.1, postgres_cpu_seconds=0.02, generator_share=0.3)
    pgbench = [
        Figure(name=f"pgbench {kind}, 8 clients", value=rate_, unit="commits/s")
        for kind, rate_ in (("upsert", 16_000.0), ("insert", 20_000.0))
    ]
    claims = {claim.text: claim for claim in ROWS["many"].judge(seen(mine, pgbench=pgbench))}
    claim = claims["the same if the server cost nothing: all cores for the generator and Postgres"]
    # 30 us of the generator and 20 us of Postgres: 40,000 a second on two cores.
    assert claim.value == pytest.approx(2.0)
    assert "40,000 messages/s" in claim.measured
