"""What was parsed and cannot be given to the sink yet, in order.

While the sink asks for a pause, what was parsed already is held back and the connection is not
read. And a client that sends much at once gets a turn of a few milliseconds; then every other
socket of the worker has its own before the rest is delivered.
"""

import asyncio
from collections import deque
from typing import Protocol

from ..core.clock import SystemClock

TURN_SECONDS = 0.01
"""How long the messages of one read may be delivered before others have their turn."""

monotonic = SystemClock().monotonic


class BacklogOwner(Protocol):
    """What the backlog asks of its socket."""

    def deliver(self, message: str | bytes) -> None:
        """Give a message to the sink."""
        ...

    def set_reading(self, *, wanted: bool) -> None:
        """Read the connection, or leave what comes to the system."""
        ...

    def all_delivered(self) -> None:
        """Nothing is held any more."""
        ...


class Backlog:
    """See the module.

    Args:
        owner: The socket.
    """

    __slots__ = ("_held", "_owner", "_paused", "_resting")

    def __init__(self, owner: BacklogOwner) -> None:
        self._owner = owner
        self._held: deque[str | bytes] = deque()
        self._paused = False
        self._resting = False

    def __len__(self) -> int:
        return len(self._held)

    @property
    def blocks(self) -> bool:
        """Whether a message has to wait here."""
        return self._paused or self._resting or bool(self._held)

    def hold(self, message: str | bytes) -> None:
        """Keep a message until its turn."""
        self._held.append(message)

    def pause(self) -> None:
        """The sink is full."""
        self._paused = True
        self._owner.set_reading(wanted=False)

    def resume(self) -> None:
        """The sink has room again."""
        if self._paused:
            self._paused = False
            if self._held:
                self.rest()
            else:
                self._owner.set_reading(wanted=not self._resting)

    def rest(self) -> None:
        """The turn is over: go on when everybody else has had theirs."""
        if not self._resting:
            self._resting = True
            asyncio.get_running_loop().call_soon(self._go_on)
            self._owner.set_reading(wanted=False)

    def forget(self) -> None:
        """Nobody wants to hear what is held."""
        self._held.clear()
        self._paused = False
        self._owner.set_reading(wanted=not self._resting)

    def _go_on(self) -> None:
        self._resting = False
        turn_ends = monotonic() + TURN_SECONDS
        while self._held and not (self._paused or self._resting):
            self._owner.deliver(self._held.popleft())
            if monotonic() >= turn_ends:
                self.rest()
        if not self._held:
            self._owner.all_delivered()
        if not self.blocks:
            self._owner.set_reading(wanted=True)
