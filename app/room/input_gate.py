"""The input gate: which code of an object may run now. Pure.

A gate is closed while it has locks. Whoever wants to pass enters: through an open gate at once,
else when its turn comes, first in, first out and one at a time. Passing takes a lock, given back
when the step that it was taken for is over, so nobody else passes meanwhile.

Three things keep a gate closed. A **lock** alone: a step runs, or is about to. A **hold**: code
waits for storage, and goes on itself before anybody passes. A **section**: code that nobody else
of the object may interleave with. A section is a gate of its own, behind which its code stands,
and closes the gate that it was begun at until it is over. Sections of one gate run one after the
other, ahead of all who wait to pass, and not while the gate is held. When one is over, who still
stands behind it stands behind its parent.

A broken gate never opens: whoever waits or comes is refused.
(reference: durable-objects, section 3)
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

DEPTH: Final = 64
"""How deep sections may be nested."""


class SectionTooDeep(RuntimeError):
    """Critical sections are nested deeper than 64; nothing has happened."""


class Ticket:
    """Somebody who waits to pass a gate.

    Args:
        gate: Where.
        admitted: Called when it passes; a lock has been taken for it.
        refused: Called when the gate breaks, with the reason.
    """

    __slots__ = ("admitted", "gate", "refused")

    def __init__(
        self,
        gate: "InputGate",
        admitted: Callable[[], None],
        refused: Callable[[Exception], None],
    ) -> None:
        self.gate = gate
        self.admitted = admitted
        self.refused = refused

    def cancel(self) -> None:
        """Do not wait any more; harmless when it has passed. The others keep their order."""
        self.gate.place.forget(self)


class InputGate:
    """See the module.

    Attributes:
        locks: How many locks there are, those of holds and sections included.
        holds: How many hold it.
        sections: Those that are begun and not over, the running one first.
        broken: Why it is broken, if it is.
        depth: How many sections it lies in.
    """

    __slots__ = ("_advancing", "_queue", "broken", "depth", "holds", "locks", "sections")

    def __init__(self) -> None:
        self.locks = 0
        self.sections: list[Section] = []
        self.broken: Exception | None = None
        self.depth = 0
        self.holds = 0
        self._queue: list[Ticket] = []
        self._advancing = False

    @property
    def place(self) -> "InputGate":
        """The gate that those who stood behind this one stand behind now."""
        return self

    @property
    def waiting(self) -> int:
        """How many wait to pass."""
        return len(self._queue)

    @property
    def at_rest(self) -> bool:
        """Whether it is open, and nobody waits or stands behind it."""
        return not (self.locks or self._queue or self.sections) and self.broken is None

    def enter(
        self, admitted: Callable[[], None], refused: Callable[[Exception], None]
    ) -> Ticket | None:
        """Pass: now, or when its turn comes. Returns the ticket of one that has to wait."""
        if self.broken is not None:
            refused(self.broken)
            return None
        if not self.locks and not self._queue:
            self.locks = 1
            admitted()
            return None
        ticket = Ticket(self, admitted, refused)
        self._queue.append(ticket)
        return ticket

    def forget(self, ticket: Ticket) -> None:
        """See `Ticket.cancel`."""
        if ticket in self._queue:
            self._queue.remove(ticket)

    def lock(self) -> None:
        """Close the gate, for code that runs already."""
        self.place.locks += 1

    def unlock(self) -> None:
        """Give a lock back."""
        place = self.place
        place.locks -= 1
        place.advance()

    def hold(self) -> None:
        """Close the gate for code that waits for storage."""
        place = self.place
        place.locks += 1
        place.holds += 1

    def release(self) -> None:
        """The code that held the gate goes on."""
        place = self.place
        place.locks -= 1
        place.holds -= 1
        place.advance()

    def begin_section(self, started: Callable[["Section"], None]) -> "Section":
        """Close the gate for a section. `started` is called when it is its turn, maybe now.

        Raises:
            SectionTooDeep: One more than may be nested.
            Exception: The gate is broken, this is why.
        """
        if self.broken is not None:
            raise self.broken
        if self.depth >= DEPTH:
            raise SectionTooDeep(f"critical sections are nested {DEPTH} deep already")
        section = Section(self, started)
        self.locks += 1
        self.sections.append(section)
        self.advance()
        return section

    def break_(self, error: Exception) -> None:
        """Refuse everybody, now and for ever."""
        if self.broken is not None:
            return
        self.broken = error
        for section in list(self.sections):
            section.break_(error)
        waiting = list(self._queue)
        self._queue.clear()
        for ticket in waiting:
            ticket.refused(error)

    def take_over(self, section: "Section", queue: list[Ticket], *, locks: int) -> None:
        """A section is over: what stood behind it stands here."""
        self.sections.remove(section)
        self._queue.extend(queue)
        self.locks += locks - 1
        self.holds += section.holds
        self.advance()

    def advance(self) -> None:
        """Let those go on whose turn it is."""
        if self._advancing or self.broken is not None:
            return
        self._advancing = True  # who passes may give its lock back at once
        try:
            while self._one_goes_on():
                pass
        finally:
            self._advancing = False

    def _one_goes_on(self) -> bool:
        if self.sections:
            first = self.sections[0]
            waits = first.state is SectionState.WAITING and not self.holds
            if waits:
                first.start()
            return waits
        if self.locks or not self._queue:
            return False
        self.locks = 1
        self._queue.pop(0).admitted()
        return True


class SectionState(Enum):
    """WAITING for its turn, then RUNNING, then OVER; it may be over without having run."""

    WAITING = auto()
    RUNNING = auto()
    OVER = auto()


class Section(InputGate):
    """A critical section, and the gate behind which its code stands.

    Args:
        parent: The gate that it closes.
        started: Called once, when it is its turn.
    """

    __slots__ = ("_parent", "_started", "state")

    def __init__(self, parent: InputGate, started: Callable[["Section"], None]) -> None:
        super().__init__()
        self._parent = parent
        self._started = started
        self.depth = parent.depth + 1
        self.state = SectionState.WAITING

    @property
    def place(self) -> InputGate:
        """See `InputGate.place`."""
        return self._parent.place if self.state is SectionState.OVER else self

    def start(self) -> None:
        """It is its turn."""
        self.state = SectionState.RUNNING
        self._started(self)

    def end(self) -> "list[Section]":
        """The section is over, its inner ones with it. Returns all that are over by this."""
        if self.state is SectionState.OVER:
            return []
        self._advancing = True  # nothing goes on here any more, or starts
        ended = [self]
        for inner in list(self.sections):
            ended += inner.end()
        self.state = SectionState.OVER
        queue = self._queue
        self._queue = []
        self._parent.take_over(self, queue, locks=self.locks)
        return ended
