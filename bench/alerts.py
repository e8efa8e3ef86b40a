"""`python -m bench.alerts`: chaos through the proxy, and which alerts a real Prometheus raises.

Two machines of two workers stand behind nginx, a client keeps asking a room through it, and
Prometheus scrapes both machines with the shipped rules in quick time (`bench.prometheus`). After
each strike its alerts must fire and no other may; once it is mended the client must be served and
every alert must end. The exit status is 1 when one of these does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.alert_strikes import ROOM, STRIKES, Strike
from bench.availability import Watcher
from bench.nodes import Machines
from bench.prometheus import HASTE, SCRAPE_SECONDS, Prometheus
from bench.proxies import Nginx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

LEASE_SECONDS: Final = 20.0
FIRE_SECONDS: Final = 120.0
SERVED_SECONDS: Final = 120.0
CALM_SECONDS: Final = 240.0
_QUIET_SECONDS: Final = 3.0 * SCRAPE_SECONDS
_WIDTH_WITHOUT_TERMINAL: Final = 120


class Outcome(NamedTuple):
    """What came of a strike.

    Attributes:
        strike: Which.
        fired: Every alert that has fired, until all were quiet again.
        fire_seconds: Until those that must had fired.
        calm_seconds: From the mending until all were quiet.
        away_seconds: The longest time that the client was not answered.
    """

    strike: Strike
    fired: set[str]
    fire_seconds: float
    calm_seconds: float
    away_seconds: float

    @property
    def unexpected(self) -> set[str]:
        """What has fired and should not have."""
        return self.fired - self.strike.alerts - self.strike.beside


async def run(strikes: Sequence[Strike], folder: Path) -> AsyncIterator[Outcome]:
    """Strike once after the other.

    Raises:
        TimeoutError: An alert did not fire or did not end, or the client was not served.
    """
    async with (
        Machines(folder, lease_seconds=LEASE_SECONDS, proxy=Nginx) as machines,
        Prometheus(folder / "prometheus", [node.port for node in machines.nodes]) as prometheus,
    ):
        if machines.proxy is None:
            raise LookupError(Nginx.missing())
        watcher = Watcher([machines.proxy.url], ROOM)
        watching = asyncio.create_task(watcher.run())
        try:
            await served(watcher)
            await prometheus.comes_to("sum(up)", 2, within_seconds=SERVED_SECONDS)
            for strike in strikes:
                yield await play(strike, machines, prometheus, watcher)
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


async def play(
    strike: Strike, machines: Machines, prometheus: Prometheus, watcher: Watcher
) -> Outcome:
    """Strike, wait for the alerts, mend, and wait until all is quiet.

    Raises:
        TimeoutError: See `run`.
    """
    await machines.whole()
    await prometheus.calms_down(within_seconds=CALM_SECONDS)
    struck = time.perf_counter()
    await strike.deed(machines, prometheus)
    if not strike.alerts:
        await asyncio.sleep(_QUIET_SECONDS)
    fired = await prometheus.fires(strike.alerts, within_seconds=FIRE_SECONDS)
    told = time.perf_counter()
    await strike.mend(machines, prometheus)
    await machines.whole()
    mended = time.perf_counter()
    await served(watcher)
    fired |= await prometheus.calms_down(within_seconds=CALM_SECONDS)
    return Outcome(
        strike,
        fired,
        told - struck,
        time.perf_counter() - mended,
        watcher.longest_gap(struck),
    )


async def served(watcher: Watcher) -> None:
    """Wait until the client is answered.

    Raises:
        TimeoutError: It was not.
    """
    try:
        async with asyncio.timeout(SERVED_SECONDS):
            await watcher.good_answer()
    except TimeoutError:
        raise TimeoutError("the client was not served") from None


async def play_all(strikes: Sequence[Strike], console: Console) -> int:
    """Play them and tell; returns the exit status."""
    columns = ("strike", "must fire", "fired beside", "after s", "quiet after s", "client away s")
    table = Table(*columns, title=f"durations of the rules divided by {HASTE}")
    unexpected: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory(prefix="alerts-", ignore_cleanup_errors=True) as folder:
        async for outcome in run(strikes, Path(folder)):
            strike = outcome.strike
            console.print(f"{strike.name}: {', '.join(sorted(outcome.fired)) or 'quiet'}")
            if outcome.unexpected:
                unexpected[strike.name] = outcome.unexpected
            table.add_row(
                strike.name,
                "\n".join(sorted(strike.alerts)) or "nothing",
                "\n".join(sorted(outcome.fired - strike.alerts)),
                f"{outcome.fire_seconds:.1f}",
                f"{outcome.calm_seconds:.1f}",
                f"{outcome.away_seconds:.1f}",
            )
    console.print(table)
    for name, alerts in unexpected.items():
        console.print(f"{name}: {', '.join(sorted(alerts))} should not have fired", style="red")
    return 1 if unexpected else 0


def main() -> int:
    """Run what the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.alerts", description=__doc__)
    parser.add_argument("words", nargs="*", help="of the strikes, as `worker killed`")
    options = parser.parse_args()
    chosen = [each for each in STRIKES if all(word in each.name for word in options.words)]
    if not chosen:
        parser.error("no strike has all these words")
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_WITHOUT_TERMINAL)
    try:
        return asyncio.run(play_all(chosen, console))
    except TimeoutError as missed:
        console.print(f"not in time: {missed}", style="red")
        return 1


if __name__ == "__main__":
    sys.exit(main())
