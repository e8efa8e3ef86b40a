"""Gives a worker of these tests a wall clock that is wrong, from its very first step.

Python imports this by itself where its folder is on the path. The file that TESTS_CLOCKS names
holds `slot seconds` lines; a worker process of such a slot gets a clock that is wrong by so many
seconds. All other processes, and the clocks that only measure, are left alone.
"""

import os
import sys
from pathlib import Path


def _seconds() -> int:
    given = os.environ.get("TESTS_CLOCKS")  # noqa: TID251 - no settings are read this early
    words = sys.orig_argv
    if given is None or "worker" not in words or "--slot" not in words:
        return 0
    slot = words[words.index("--slot") + 1]
    try:
        lines = Path(given).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.split()[0] == slot)


if seconds := _seconds():
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.integration.bad_input.wrong_clock import move_the_clock

    sys.path.pop(0)
    move_the_clock(seconds)
