"""Hybrid logical clocks as TinyBase writes them: 42 bits of ms, 24 of counter, 30 of writer.

The text form has 16 characters, most significant first, in an alphabet that sorts like its values.
One clock serves all clients of a run, so stamps only ever grow: every message wins its cell, and
the state a server must hold at the end is known exactly.
"""

from __future__ import annotations

import time

ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def digits(value: int, length: int) -> str:
    """Write `value` in base 64 with exactly `length` characters."""
    return "".join(ALPHABET[value >> shift & 63] for shift in range(6 * (length - 1), -1, -6))


class HlcClock:
    """Gives out strictly increasing stamps near the wall clock of this machine."""

    def __init__(self) -> None:
        self._ms = 0
        self._counter = -1
        self._prefix = ""

    def next(self, writer: str) -> str:
        """Return a stamp greater than all before; `writer` is five characters of the alphabet."""
        now = time.time_ns() // 1_000_000
        if now > self._ms:
            self._ms, self._counter = now, -1
            self._prefix = digits(now, 7)
        self._counter += 1
        return self._prefix + digits(self._counter, 4) + writer
