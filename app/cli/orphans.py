"""Reaping of adopted processes: what a first process of a container owes to the others in it.

A process whose parent has ended is given to the first process (or to the nearest one that asked
for such), and stays a zombie until that one waits for it. Whoever has started a child here waits
for it within a moment; so a zombie that is still one at the next look is nobody's, and is reaped.
Linux only; elsewhere nothing is ever adopted by us.
"""

import os
from pathlib import Path

from ..core.clock import Clock

LOOK_SECONDS = 2.0

_TASKS = Path("/proc/self/task")


async def reap_orphans(clock: Clock) -> None:
    """Reap what nobody else does, for ever."""
    before: set[int] = set()
    while True:
        await clock.sleep(LOOK_SECONDS)
        before = reap(before)


def reap(seen_before: set[int]) -> set[int]:
    """Reap those zombies among our children that were seen before; returns the others."""
    zombies = {child for child in _children() if _is_zombie(child)}
    for child in zombies & seen_before:
        try:
            os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            continue  # its parent was slow, and has just done it
    return zombies - seen_before


def _children() -> set[int]:
    children: set[int] = set()
    for listed in _TASKS.glob("*/children"):
        try:
            children.update(int(word) for word in listed.read_text("ascii").split())
        except OSError:
            continue  # a thread that has just ended
    return children


def _is_zombie(child: int) -> bool:
    try:
        stat = Path(f"/proc/{child}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
