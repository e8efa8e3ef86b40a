"""How one worker comes by its lease, keeps it, loses it and comes back: a pure state machine.

It does nothing and reads no clock. It names one **errand** at a time; whoever runs it (the shell
is `membership`, the test is a simulation) does that errand and answers how it ended and what
time it is, which gives the next errand.

    NEW ──▶ REGISTERING ──▶ BEGINNING ──▶ HOLDING ◀──▶ RENEWING
                 ▲ │            │            │            │
                 │ └──────┐     │            └──▶ LOST ◀──┘
                 │        ▼     ▼                  │ │
              BURYING ──▶ WAITING                  │ └──▶ OVER
                 ▲          │                      │
                 └──────────┴──────────────────────┘

What it guarantees: a lease counts from before it was asked for; what ended is never revived; the
rooms of a life are thrown away before the next life asks for anything; each try to come back has
an id of its own, so that nothing that arrives late can speak for a later life.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, TypeVar

from ..core.ids import WorkerId
from .lease import LeaseTerm

_RETRY_PART: Final = 0.25
"""How long a worker waits after a try that failed, as a part of the renewal interval."""


class Standing(Enum):
    """OUTSIDE: no lease. LIVE: may claim rooms. LEAVING: gives its rooms up."""

    OUTSIDE = auto()
    LIVE = auto()
    LEAVING = auto()


class Phase(Enum):
    """What the worker is about; see the module's picture."""

    NEW = auto()
    REGISTERING = auto()
    BEGINNING = auto()
    HOLDING = auto()
    RENEWING = auto()
    LOST = auto()
    WAITING = auto()
    BURYING = auto()
    OVER = auto()


TRANSITIONS: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.NEW: frozenset({Phase.REGISTERING, Phase.OVER}),
    Phase.REGISTERING: frozenset({Phase.BEGINNING, Phase.WAITING, Phase.OVER}),
    Phase.BEGINNING: frozenset({Phase.HOLDING, Phase.WAITING, Phase.OVER}),
    Phase.HOLDING: frozenset({Phase.RENEWING, Phase.LOST, Phase.OVER}),
    Phase.RENEWING: frozenset({Phase.HOLDING, Phase.LOST, Phase.OVER}),
    Phase.LOST: frozenset({Phase.BURYING, Phase.OVER}),
    Phase.WAITING: frozenset({Phase.BURYING, Phase.OVER}),
    Phase.BURYING: frozenset({Phase.REGISTERING, Phase.WAITING, Phase.OVER}),
    Phase.OVER: frozenset(),
}


class IllegalTransition(RuntimeError):
    """The table does not allow this move; a fault of ours."""

    def __init__(self, before: Phase, after: Phase) -> None:
        super().__init__(f"a worker cannot go from {before.name} to {after.name}")


class Outcome(Enum):
    """How an errand ended. REFUSED: the database says that the lease is over. FAILED: not known."""

    DONE = auto()
    REFUSED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing until then; late is allowed."""

    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Make a live row for this id."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Make ready what serves rooms under this id and the `coming` term."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """Extend the lease; an answer that takes longer than `within_seconds` is worth nothing."""

    worker_id: WorkerId
    within_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortRooms:
    """The lease is over: throw every room away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bury:
    """Mark the former lives at this worker's place dead: they were this very process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """There is nothing left to do; it is not answered."""


Errand = Wait | Register | Begin | Renew | AbortRooms | Bury | Stop

TermT = TypeVar("TermT", bound=LeaseTerm)


class LeaseProtocol(Generic[TermT]):
    """See the module. Not safe for two answers to one errand.

    Args:
        worker_id: Who the worker is in its first life.
        renew_seconds: How often the lease is renewed.
        make_term: Makes the term of a new life.
        new_id: Makes the id of a new life.
    """

    def __init__(
        self,
        *,
        worker_id: WorkerId,
        renew_seconds: float,
        make_term: Callable[[], TermT],
        new_id: Callable[[], WorkerId],
    ) -> None:
        self._renew_seconds = renew_seconds
        self._make_term = make_term
        self._new_id = new_id
        self._asked_at = 0.0
        self.worker_id = worker_id
        """Under which id rooms are claimed; of the life that is coming, while there is none."""
        self.term = make_term()
        """The lease of the present life; it has ended, or never began, while there is none."""
        self.coming = self.term
        """The lease of the life that is about to begin."""
        self.standing = Standing.OUTSIDE
        self.phase = Phase.NEW

    def start(self, *, now: float) -> Errand:
        """Return the first errand."""
        return self._register(now)

    def answer(self, outcome: Outcome, *, now: float) -> Errand:
        """Take the end of the present errand; returns the next one.

        Args:
            outcome: How it ended; REFUSED is an answer to a renewal only.
            now: The clock, read when the end was known.
        """
        match self.phase:
            case Phase.REGISTERING:
                return self._registered(outcome, now)
            case Phase.BEGINNING:
                return self._begun(outcome, now)
            case Phase.HOLDING:
                return self._renew(now) if self.term.holds_at(now) else self._lose()
            case Phase.RENEWING:
                return self._renewed(outcome, now)
            case Phase.BURYING:
                return self._register(now) if outcome is Outcome.DONE else self._stay_out(now)
            case Phase.LOST | Phase.WAITING:
                return self._come_back()
            case Phase.NEW | Phase.OVER:
                return Stop()

    def leave(self) -> None:
        """Claim nothing more, for ever. The lease goes on until it is lost or closed."""
        self.standing = Standing.LEAVING

    def close(self, *, now: float) -> bool:
        """End everything; returns whether the lease held, and so the row should be retired."""
        held = self.term.holds_at(now)
        self.term.end()
        self.coming.end()
        self.standing = Standing.OUTSIDE
        if self.phase is not Phase.OVER:
            self._move(Phase.OVER)
        return held

    def _register(self, now: float) -> Errand:
        self._move(Phase.REGISTERING)
        self._asked_at = now
        self.coming = self._make_term()
        return Register(worker_id=self.worker_id)

    def _registered(self, outcome: Outcome, now: float) -> Errand:
        if outcome is not Outcome.DONE or not self.coming.grant(asked_at=self._asked_at, now=now):
            return self._stay_out(now)
        self._move(Phase.BEGINNING)
        return Begin(worker_id=self.worker_id)

    def _begun(self, outcome: Outcome, now: float) -> Errand:
        if outcome is not Outcome.DONE:
            return self._stay_out(now)
        self._move(Phase.HOLDING)
        self.term = self.coming
        if self.standing is Standing.OUTSIDE:
            self.standing = Standing.LIVE
        return self._hold(now)

    def _hold(self, now: float, *, again: bool = False) -> Errand:
        """Wait for the next renewal: the usual time, or a part of it when one has failed.

        The pause also bounds how late a loss is noticed.
        """
        if not self.term.holds_at(now):
            return self._retry(now)
        pause = self._renew_seconds * (_RETRY_PART if again else 1)
        return Wait(until=min(now + pause, self.term.deadline))

    def _renew(self, now: float) -> Errand:
        self._move(Phase.RENEWING)
        self._asked_at = now
        return Renew(worker_id=self.worker_id, within_seconds=self.term.margin_at(now))

    def _renewed(self, outcome: Outcome, now: float) -> Errand:
        if outcome is Outcome.REFUSED:
            self.term.end()
        elif outcome is Outcome.DONE:
            self.term.grant(asked_at=self._asked_at, now=now)
        if not self.term.holds_at(now):
            return self._lose()
        self._move(Phase.HOLDING)
        return self._hold(now, again=outcome is not Outcome.DONE)

    def _lose(self) -> Errand:
        self._move(Phase.LOST)
        return AbortRooms()

    def _come_back(self) -> Errand:
        """Begin to come back as somebody new; a worker that is leaving stays away.

        Every try has an id of its own: the row that a try left behind half way is buried by the
        next one, and what is dead stays dead.
        """
        if self.standing is Standing.LEAVING:
            self._move(Phase.OVER)
            return Stop()
        self._move(Phase.BURYING)
        self.standing = Standing.OUTSIDE
        self.worker_id = self._new_id()
        return Bury()

    def _stay_out(self, now: float) -> Errand:
        self._move(Phase.WAITING)
        return self._retry(now)

    def _retry(self, now: float) -> Wait:
        return Wait(until=now + self._renew_seconds * _RETRY_PART)

    def _move(self, after: Phase) -> None:
        if after not in TRANSITIONS[self.phase]:
            raise IllegalTransition(self.phase, after)
        self.phase = after
