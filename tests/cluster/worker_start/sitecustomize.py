"""What a worker of these tests finds changed at its very first step.

Python imports this by itself where its folder is on the path. All this is for worker
processes alone; others are left as they are.

* The file that TESTS_CLOCKS names holds `slot seconds`: the workers of that slot get a wall clock
  that is wrong by so much, while the clocks that only measure are right.
* SIGUSR1 makes a worker drain for a moment without ending, SIGUSR2 makes it move some of its
  rooms to others (`orders`); so the tests can ask for what has no other door yet.
* TESTS_MUTANT names a deliberate fault (tests/mutants). A single server is started with it by its
  own command; a supervisor's workers get it here.
"""

import os
import signal
import sys
from pathlib import Path

_ROOT = str(Path(__file__).parents[3])


def _slot() -> str | None:
    words = sys.orig_argv
    if "worker" not in words or "--slot" not in words:
        return None
    return words[words.index("--slot") + 1]


def _seconds_off(slot: str) -> int:
    clocks = Path(os.environ.get("TESTS_CLOCKS", "none"))  # noqa: TID251 - before any settings
    if not clocks.exists():
        return 0
    lines = [line.split() for line in clocks.read_text("utf-8").splitlines()]
    return sum(int(seconds) for name, seconds in lines if name == slot)


def _change(slot: str) -> None:
    mutant = os.environ.get("TESTS_MUTANT")  # noqa: TID251 - before any settings
    seconds = _seconds_off(slot)
    sys.path.insert(0, _ROOT)
    if seconds:
        from tests.integration.bad_input.wrong_clock import move_the_clock  # noqa: PLC0415

        move_the_clock(seconds)
    if mutant is not None:
        from tests.mutants.registry import switch_on  # noqa: PLC0415 - it imports what it breaks

        switch_on(mutant)
    from tests.cluster.worker_start.orders import take_orders  # noqa: PLC0415 - on the path now

    take_orders()
    sys.path.remove(_ROOT)


if (slot := _slot()) is not None:
    for order in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(order, signal.SIG_IGN)  # one that comes before it is ready ends nobody
    _change(slot)
