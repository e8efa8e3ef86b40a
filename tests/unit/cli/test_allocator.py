"""Memory of large messages goes back to the system."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.allocator import give_memory_back

PROJECT = Path(__file__).parents[3]
PROGRAM = """
import os, sys
from app.cli.allocator import give_memory_back
if "fixed" in sys.argv:
    assert give_memory_back()

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

del [bytes(4 << 20) for _ in range(2)][:]  # a large message
before = resident()
kept, large = [], []
for number in range(500):
    large.append(b"x" * 200_000)
    kept.append(bytes(2_000 + number))  # something that lives on
del large
print(resident() - before)
"""


@pytest.mark.parametrize("fixed", [True, False])
def test_small_things_that_live_on_keep_no_large_ones_back(fixed: bool) -> None:
    if platform.libc_ver()[0] != "glibc":
        assert not give_memory_back()
        return
    words = [sys.executable, "-c", PROGRAM, *(["fixed"] if fixed else [])]
    ended = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
    kept_back = int(ended.stdout)
    assert (kept_back < 20_000_000) is fixed
