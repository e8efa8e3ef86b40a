"""Simulated time and chance: one heap of events, one seeded generator, nothing else.

A step is one event: a message arrives, a timer is due, a statement goes on, a fault strikes. The
same seed gives the same steps, always: whatever decides anything draws from `chance`.
"""

import random
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Violation(AssertionError):
    """An invariant does not hold. The text says after which step of which seed."""


class World:
    """See the module.

    Args:
        seed: Decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = 0

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Let something happen later; of two at one instant, the first asked for is first."""
        self._serial += 1
        heappush(self._heap, (self.now + seconds, self._serial, call, arguments))

    def step(self) -> None:
        """Let the next thing happen."""
        self.now, _, call, arguments = heappop(self._heap)
        self.steps += 1
        call(*arguments)

    def violated(self, what: str) -> Violation:
        """Name an invariant that does not hold."""
        return Violation(f"seed {self.seed}, step {self.steps}, {self.now:.3f} s: {what}")
