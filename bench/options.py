"""What the command line asks for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bench.scenarios import SCENARIOS
from bench.servers import DEFAULT_SERVERS, REFERENCE, SERVERS

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One campaign."""

    servers: tuple[str, ...]
    scenarios: tuple[str, ...]
    seconds: float
    warmup_seconds: float
    rounds: int
    quiet_seconds: float
    kill: bool
    results: Path
    markdown: Path | None
    check: str | None
    install: bool


def _names(known: dict[str, object], text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(unknown) or '(nothing)'}; known: {', '.join(known)}"
        )
    return names


def _parser() -> argparse.ArgumentParser:
    servers = "\n".join(f"  {server.name:18} {server.about}" for server in SERVERS.values())
    shapes = "\n".join(f"  {shape.name:18} {shape.about}" for shape in SCENARIOS.values())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure TinyBase servers side by side, on this machine, in one run.",
        epilog=f"servers:\n{servers}\n\nscenarios:\n{shapes}\n\n"
        f"Ratios are taken against {REFERENCE} of the same run. Servers that cannot be started "
        "here are skipped with the reason.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--servers",
        type=lambda text: _names(dict(SERVERS), text),
        default=DEFAULT_SERVERS,
        metavar="A,B",
        help=f"who is measured (default: {','.join(DEFAULT_SERVERS)})",
    )
    parser.add_argument(
        "--scenarios",
        type=lambda text: _names(dict(SCENARIOS), text),
        default=tuple(SCENARIOS),
        metavar="A,B",
        help="what is measured (default: all)",
    )
    add_numbers(parser)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the report here")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="where JSON and Markdown of each run go (default: bench/results)",
    )
    parser.add_argument(
        "--check",
        nargs="?",
        const="server",
        choices=("server", "total"),
        help=f"exit with 1 unless our CPU is below {REFERENCE} in pair (a message), rooms and "
        "crowd (a delivery); `total` counts Postgres in",
    )
    parser.add_argument(
        "--install", action="store_true", help="install the peers' Node packages and stop"
    )
    return parser


def add_numbers(parser: argparse.ArgumentParser) -> None:
    """Add the options for duration and depth."""
    parser.add_argument("--seconds", type=float, default=4.0, help="load per measurement (4)")
    parser.add_argument(
        "--warmup", type=float, default=2.0, metavar="SECONDS", help="load before it (2)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="times each measurement is repeated, in turn (3)"
    )
    parser.add_argument(
        "--quiet",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long at most, before each measurement, for others to leave the machine idle",
    )
    parser.add_argument(
        "--no-kill",
        dest="kill",
        action="store_false",
        help="do not kill durable servers after the last round to see what they lose",
    )


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; exits with 2 and an explanation if it makes no sense."""
    parser = _parser()
    values = parser.parse_args(arguments)
    if values.rounds < 1 or values.seconds <= 0 or values.warmup < 0:
        parser.error("--rounds and --seconds must be positive, --warmup not negative")
    return Options(
        servers=tuple(values.servers),
        scenarios=tuple(values.scenarios),
        seconds=values.seconds,
        warmup_seconds=max(values.warmup, 0.1),
        rounds=values.rounds,
        quiet_seconds=values.quiet,
        kill=values.kill,
        results=values.results,
        markdown=values.markdown,
        check=values.check,
        install=values.install,
    )
