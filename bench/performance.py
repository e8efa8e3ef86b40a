"""`python -m bench.performance`: every row of the table of goals, measured and judged in one run.

Load tests of ours and of the peers take turns, round after round; pgbench, which durability is held
against, takes its turn with them; what takes longer comes after. Rows that miss their goal are
followed by a profile. The page docs/reference/performance.md is written by the run, whatever came
out; `--page` writes it elsewhere, and a part of the rows (`--rows`) is written to bench/results.

Exit status: 0 the run is complete, 2 a measurement of ours had faults or a row was not measured.
Goals that are missed are told on the page and do not count here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from bench.goals import ROWS
from bench.idlers import allow_descriptors
from bench.options import RESULTS, Options
from bench.page import Judged, as_json, page
from bench.proof import Proof
from bench.screen import Screen
from bench.verdicts import Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.goals.row import Row

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "performance.md"
DESCRIPTORS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    rows: tuple[Row, ...]
    options: Options
    page: Path
    profiles: bool
    quick: bool
    begun: str


def _names(text: str) -> tuple[Row, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        known = ", ".join(ROWS)
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {known}")
    return tuple(ROWS[name] for name in ROWS if name in names)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {row.name:12} {row.case}" for row in ROWS.values())
    parser = argparse.ArgumentParser(
        prog="python -m bench.performance",
        description=__doc__,
        epilog=f"rows:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=_names, metavar="A,B", help="which rows (all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often, in turn (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="load per measurement (1.5)")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds of load before it (1)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of 0.3 s, without what takes minutes: whether the harness works",
    )
    parser.add_argument(
        "--no-profiles", dest="profiles", action="store_false", help="no profiles of missed rows"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="where the page goes")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="where all the rounds go"
    )
    return parser


def parse(arguments: Sequence[str] | None = None) -> Wish:
    """Read the command line; exits with 2 and an explanation if it makes no sense."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.rounds < 1 or given.seconds <= 0 or given.warmup < 0:
        parser.error("--rounds and --seconds must be positive, --warmup not negative")
    whole = given.rows is None and not given.quick
    begun = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    partial = given.results / f"performance-{begun}.md"
    rows = given.rows or tuple(ROWS.values())
    scenarios = tuple({name: None for row in rows for name in row.cells})
    return Wish(
        rows=rows,
        options=Options(
            servers=(),
            scenarios=scenarios,
            seconds=0.3 if given.quick else given.seconds,
            warmup_seconds=0.1 if given.quick else max(given.warmup, 0.1),
            rounds=1 if given.quick else given.rounds,
            quiet_seconds=0.0,
            kill=False,
            results=given.results,
            markdown=None,
            check=None,
            install=False,
        ),
        page=given.page or (PAGE if whole else partial),
        profiles=given.profiles and not given.quick,
        quick=given.quick,
        begun=begun,
    )


async def _measure(wish: Wish, screen: Screen) -> list[Judged]:
    proof = Proof(wish.rows, wish.options, screen, long=not wish.quick)
    await proof.measure()
    judged = [Judged(row=row, claims=row.judge(proof.seen)) for row in wish.rows]
    # What took so long is not to be lost if somebody ends the run while profiles are taken.
    _write(wish, judged, proof)
    if wish.profiles:
        judged = [await _explained(each, proof) for each in judged]
        _write(wish, judged, proof)
    return judged


async def _explained(each: Judged, proof: Proof) -> Judged:
    """Add the profile of a row that misses its goal."""
    missed = worst(each.claims) in (Verdict.MISSED, Verdict.FLOOR)
    return replace(each, profile=await proof.profile(each.row)) if missed else each


def _write(wish: Wish, judged: list[Judged], proof: Proof) -> None:
    wish.page.parent.mkdir(parents=True, exist_ok=True)
    wish.page.write_text(page(judged, proof.seen, wish.options), encoding="utf-8")
    results = wish.options.results
    results.mkdir(parents=True, exist_ok=True)
    (results / f"performance-{wish.begun}.json").write_bytes(
        as_json(judged, proof.seen, wish.options)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return the exit status."""
    wish = parse(arguments)
    allow_descriptors(DESCRIPTORS)
    with Screen() as screen, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        judged = runner.run(_measure(wish, screen))
        for each in judged:
            screen.judged(each.row.name, each.claims)
    print(wish.page)
    claims = [claim for each in judged for claim in each.claims]
    broken = any(claim.faults or claim.verdict is Verdict.ABSENT for claim in claims)
    return 2 if broken or not claims else 0


if __name__ == "__main__":
    sys.exit(main())
