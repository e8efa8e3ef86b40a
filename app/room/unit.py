"""The running unit: what an event has said and written since its last commit point.

Between events (a timer of the author's own, a background task, every step of a class that
interleaves) what is said without an await between forms a unit of its own, ended in the next step
of the loop. Nothing undoes it, so what is said in it before its first write does not wait for that.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..core.flag import Flag
from ..core.values import Receipt
from .commits import CommitLane
from .outputs import Close, Output
from .transaction_open import TransactionOpen


class Happening(Protocol):
    """What the unit asks of the events."""

    @property
    def running(self) -> bool:
        """Whether an event runs, so that its end will end the unit."""
        ...


class RunningUnit:
    """See the module.

    Args:
        lane: Where ended units go.
        events: Say whether one runs.
        alive: Whether the room still lives.
    """

    __slots__ = (
        "_alive",
        "_early",
        "_events",
        "_former",
        "_lane",
        "_outputs",
        "_relief",
        "_stray",
        "starved",
    )

    def __init__(self, lane: CommitLane, *, events: Happening, alive: Callable[[], bool]) -> None:
        self._lane = lane
        self._events = events
        self._alive = alive
        self._outputs: list[Output] = []
        self._early = 0  # how many of them were said between events, before any write
        self._former: dict[object, Callable[[], None]] = {}
        self._stray: asyncio.Handle | None = None
        self._relief = Flag()
        self.starved = False
        """Whether somebody waits for room."""

    @property
    def alive(self) -> bool:
        """Whether the room still lives: what is staged may leave."""
        return self._alive()

    @property
    def at_rest(self) -> bool:
        """Whether nothing is said, noted or about to end."""
        return not (self._outputs or self._former) and self._stray is None

    def stage(self, output: Output) -> None:
        """Make an output part of the unit."""
        self._outputs.append(output)
        if not self._events.running:
            if not self._lane.buffer.written:
                self._early = len(self._outputs)
            self.wrote()

    def wrote(self) -> None:
        """Note a write; between events this sets the unit's end."""
        if self._stray is None and not self._events.running:
            self._stray = asyncio.get_running_loop().call_soon(self._finish_stray)

    def remember(self, what: object, put_back: Callable[[], None]) -> None:
        """Note how something was before the unit changed it, unless that is noted already.

        For what takes effect at once and is neither a write nor an output: tags, attachments.
        """
        self._former.setdefault(what, put_back)
        self.wrote()

    def finish(self) -> None:
        """End the unit well.

        Raises:
            TransactionOpen: It cannot end here; nothing is lost.
        """
        if self._early:
            self._say_early()
        outputs = self._outputs
        if outputs:
            self._outputs = []
        try:
            self._lane.seal(outputs)
        except TransactionOpen:
            self._outputs = outputs
            raise
        if self._former:
            self._former = {}

    def end_step(self) -> None:
        """End the unit between events here already, as the code that made it waits."""
        if self._stray is not None:
            self._stray.cancel()
        self._finish_stray()

    def discard(self) -> None:
        """Undo the unit: its writes, its outputs, and what it had changed besides."""
        self._forget_outputs()
        former, self._former = self._former, {}
        for put_back in former.values():
            put_back()
        self._lane.buffer.discard()

    def discard_transactions(self) -> None:
        """Undo the transactions that are open, and no other writes; nothing said leaves."""
        self._forget_outputs()
        self._lane.buffer.discard_transactions()

    def _say_early(self) -> None:
        """Say what was said before the step's first write: no write of the step delays it."""
        early, self._outputs = self._outputs[: self._early], self._outputs[self._early :]
        self._early = 0
        self._lane.offer(early)

    def _forget_outputs(self) -> None:
        self._early = 0
        for output in self._outputs:
            if isinstance(output, Close):
                output.to.reopen()
        self._outputs = []

    @property
    def in_transaction(self) -> bool:
        """Whether the unit cannot end now."""
        return self._lane.buffer.in_transaction

    async def commit_point(self) -> Receipt:
        """End the unit here and wait until everything so far is committed."""
        self.finish()
        return await self._lane.commit_point()

    async def wait_for_room(self) -> None:
        """Wait until fewer finished units are unconfirmed."""
        while self._lane.congested and self.alive:
            self._relief.clear()
            self.starved = True
            await self._relief.wait()

    def relieve(self) -> None:
        """Wake those that wait for room, to look again."""
        self.starved = False
        self._relief.set()

    def _finish_stray(self) -> None:
        self._stray = None
        if self.alive and not self._events.running and not self._lane.buffer.in_transaction:
            self.finish()  # after a transaction, its end asks again
