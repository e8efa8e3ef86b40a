"""The containers, run for real: `make test-containers`, or `python -m tests.containers`.

It builds the image, brings the compose files up, lets real TinyBase clients meet through the proxy,
kills a worker and then a container, scales to three, re-creates every container under writes, and
takes it all down. Every figure is printed.

Exit status: 0, everything held; 1, something did not; 77, IT DID NOT RUN, for the reason that is
printed. Nothing else means that the containers work.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from app.core.clock import SystemClock
from tests.containers.engine import CommandFailed, NotRun, running_engine
from tests.containers.scenario import Scenario, Surprise
from tests.containers.stack import Stack
from tests.containers.stand_ins import base_images
from tests.interop.client_host import HostError, running_host
from tests.interop.node_toolchain import ensure_packages

HELD: Final = 0
BROKEN: Final = 1
DID_NOT_RUN: Final = 77


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.containers", description=__doc__)
    parser.add_argument("--pure", action="store_true", help="build without compiled modules")
    parser.add_argument("--quick", action="store_true", help="kill one container of the three")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    clock = SystemClock()
    begun = clock.monotonic()

    def tell(text: str) -> None:
        console.print(f"{clock.monotonic() - begun:6.1f} s  {text}", markup=False)

    with tempfile.TemporaryDirectory(prefix="stateroom-containers-") as name:
        try:
            asyncio.run(_run(Path(name), tell, pure=options.pure, quick=options.quick))
        except NotRun as reason:
            bar = "!" * 78
            console.print(
                f"{bar}\nTHE CONTAINERS WERE NOT TESTED: {reason}\n{bar}",
                style="bold",
                markup=False,
            )
            return DID_NOT_RUN
        except (CommandFailed, HostError, Surprise, TimeoutError) as failure:
            console.print(f"FAILED: {failure}", style="bold red", markup=False)
            return BROKEN
    tell("the containers held")
    return HELD


async def _run(folder: Path, tell: Scenario.Tell, *, pure: bool, quick: bool) -> None:
    with running_engine(folder) as engine:
        version, stand_ins = base_images(engine, folder)
        tell(
            "base images: STAND-INS made here of Debian's packages, not the official ones"
            if stand_ins
            else "base images: the official ones"
        )
        ensure_packages()
        stack = Stack(engine, folder)
        async with running_host() as host:
            scenario = Scenario(stack, host, tell)
            build = [f"PYTHON_VERSION={version}", f"STATEROOM_BUILD={'pure' if pure else 'native'}"]
            try:
                await scenario.build(build)
                await scenario.run(quick=quick)
            except (CommandFailed, HostError, Surprise, TimeoutError):
                tell(f"the last words of the containers:\n{await stack.last_words()}")
                raise
            finally:
                left = await stack.down()
        if left:
            raise Surprise(f"`down -v` has left {left}")
        tell("down: no container, volume or network is left")


if __name__ == "__main__":
    sys.exit(main())
