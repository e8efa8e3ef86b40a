"""`python -m bench`: measure, print, write the report.

Exit status: 0 fine, 1 the claim of --check does not hold, 2 a measurement had faults or nothing
could be measured.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench.campaign import Outcome, run
from bench.check import verdicts
from bench.options import Options, parse
from bench.report import write
from bench.screen import Screen
from bench.servers import install_peers


async def _measure(options: Options, screen: Screen) -> Outcome:
    return await run(options, started=screen.started, done=screen.done)


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    options = parse()
    if options.install:
        install_peers()
        return 0
    with Screen() as screen, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_measure(options, screen))
    judged = verdicts(outcome, options.check) if options.check else []
    screen.tables(options, outcome, judged)
    for place in write(options, outcome, judged):
        print(place)
    if not all(verdict.holds for verdict in judged):
        return 1
    return 2 if outcome.faulty or not outcome.cells else 0


if __name__ == "__main__":
    sys.exit(main())
