"""What callers of ledgers were told, and whether it can all be true. Pure.

Everything is logged in the order in which it happened to the tests' own process, so "before"
needs no clock. What is judged:

* an acknowledged line stands at the place that was told, and each operation stands once at most,
  also one whose caller never heard how it ended;
* whatever anybody was shown (an answer, a read, a push) is there in the end, at that place;
* along the places, the receipts of acknowledged appends never go back, in epoch or in number, and
  no number belongs to two epochs: the acknowledged commits are one sequence;
* one epoch belongs to one object and one process;
* a read shows everything that anybody had been shown before it began (not judged while a worker
  that is well was declared dead: then its reads may be as old as its knowledge of that);
* one socket is told the lines one after the other, without a gap.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

Line: TypeAlias = tuple[int, str]
"""A place, counted from one, and the operation that stands there."""


class Kind(Enum):
    """How the history can be impossible."""

    LOST = auto()  # acknowledged, and not there
    SHOWN_AND_GONE = auto()  # shown to somebody, and not there
    TWICE = auto()  # one operation at two places
    STRANGE = auto()  # written by nobody
    TORN = auto()  # the places are not 1, 2, 3 ...
    TWO_HOLDERS = auto()  # one epoch, two processes or two objects
    WENT_BACK = auto()  # a later commit with an earlier epoch or number
    STALE = auto()  # a read without what was shown before it began
    GAP = auto()  # a socket that was told lines in another order, or not all


@dataclass(frozen=True, slots=True)
class Violation:
    """One impossibility."""

    kind: Kind
    ledger: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.ledger}: {self.what}"


class Receipt(NamedTuple):
    """The receipt of an answer, and the process that gave it."""

    epoch: int
    number: int
    process: str

    @classmethod
    def parse(cls, header: str, process: str) -> "Receipt":
        """Read the header that comes with every answer of an object."""
        _, epoch, number = header.rsplit("/", 2)
        return cls(int(epoch), int(number), process)


class Append(NamedTuple):
    """An acknowledged append."""

    place: int
    operation: str
    receipt: Receipt


class Reading(NamedTuple):
    """A read that has begun: what it must show at least."""

    ledger: str
    newest: int
    judged: bool


@dataclass(slots=True)
class _Ledger:
    """The log of one object."""

    begun: set[str] = field(default_factory=set)
    appends: list[Append] = field(default_factory=list)
    shown: dict[Line, str] = field(default_factory=dict)
    newest: int = 0


class LedgerHistory:
    """See the module.

    Args:
        own: Tells the lines that the ledger writes by itself, which no caller has begun.
    """

    def __init__(self, own: Callable[[str], bool] = lambda _operation: False) -> None:
        self.trusting = True
        """Whether reads must be fresh at the moment."""
        self._own = own
        self.reads = 0
        self.relays = 0
        self.pushes = 0
        self._ledgers: dict[str, _Ledger] = {}
        self._holders: dict[int, tuple[str, str]] = {}
        self._heard: dict[str, int] = {}
        self._found: list[Violation] = []

    @property
    def acknowledged(self) -> int:
        """How many appends were acknowledged."""
        return sum(len(ledger.appends) for ledger in self._ledgers.values())

    @property
    def unknown(self) -> int:
        """How many appends nobody knows the end of."""
        begun = sum(len(ledger.begun) for ledger in self._ledgers.values())
        return begun - self.acknowledged - self.relays

    def began(self, ledger: str, operation: str) -> None:
        """An append is about to be sent."""
        self._of(ledger).begun.add(operation)

    def never_sent(self, ledger: str, operation: str) -> None:
        """An append could not even be sent: it must not be there."""
        self._of(ledger).begun.remove(operation)

    def appended(self, ledger: str, append: Append) -> None:
        """An append was acknowledged."""
        log = self._of(ledger)
        log.appends.append(append)
        log.newest = max(log.newest, append.place)
        self._held(ledger, append.receipt)

    def delivered(self, ledger: str, line: Line) -> None:
        """An append was acknowledged by way of another object, without a receipt."""
        self.relays += 1
        self._show(ledger, [line], "a call from object to object")

    def begin_read(self, ledger: str) -> Reading:
        """A read is about to be sent."""
        return Reading(ledger, self._of(ledger).newest, self.trusting)

    def has_read(
        self, reading: Reading, after: int, lines: Sequence[Line], receipt: Receipt
    ) -> None:
        """A read of the places behind `after` was answered."""
        self.reads += 1
        ledger = reading.ledger
        self._held(ledger, receipt)
        newest = lines[-1][0] if lines else after
        self._judge(reading, newest if after <= reading.newest else reading.newest)
        expected = range(after + 1, after + 1 + len(lines))
        if [place for place, _ in lines] != list(expected):
            self._found.append(Violation(Kind.TORN, ledger, f"a read showed {lines}"))
        self._show(ledger, lines, "a read")

    def has_heard(self, reading: Reading, length: int) -> None:
        """A question for the length was answered."""
        self.reads += 1
        self._judge(reading, length)

    def pushed(self, listener: str, ledger: str, line: Line) -> None:
        """A socket was told a line; a listener's name stands for one connection."""
        self.pushes += 1
        before = self._heard.get(listener)
        if before is not None and line[0] != before + 1:
            what = f"{listener} was told {line[0]} after {before}"
            self._found.append(Violation(Kind.GAP, ledger, what))
        self._heard[listener] = line[0]
        self._show(ledger, [line], listener)

    def violations(self, final: Mapping[str, Sequence[Line]]) -> list[Violation]:
        """Compare with the lines that each ledger has in the end; empty when all is well."""
        found = list(self._found)
        for name, ledger in self._ledgers.items():
            lines = list(final.get(name, ()))
            found += _sequence(name, ledger.appends)
            own = {text for _, text in lines if self._own(text)}
            found += _places(name, lines, ledger.begun | own)
            there = set(lines)
            found += [
                Violation(Kind.LOST, name, f"{append} was acknowledged; the end is {len(lines)}")
                for append in ledger.appends
                if (append.place, append.operation) not in there
            ]
            found += [
                Violation(Kind.SHOWN_AND_GONE, name, f"{line} was shown by {who}")
                for line, who in ledger.shown.items()
                if line not in there
            ]
        return found

    def _of(self, ledger: str) -> _Ledger:
        return self._ledgers.setdefault(ledger, _Ledger())

    def _show(self, ledger: str, lines: Iterable[Line], who: str) -> None:
        log = self._of(ledger)
        for line in lines:
            log.shown.setdefault(line, who)
            log.newest = max(log.newest, line[0])

    def _judge(self, reading: Reading, newest: int) -> None:
        if newest < reading.newest and reading.judged and self.trusting:
            what = f"{newest} lines were told when {reading.newest} had been shown"
            self._found.append(Violation(Kind.STALE, reading.ledger, what))

    def _held(self, ledger: str, receipt: Receipt) -> None:
        holder = (ledger, receipt.process)
        known = self._holders.setdefault(receipt.epoch, holder)
        if known != holder:
            what = f"epoch {receipt.epoch} was held by {known} and {holder}"
            self._found.append(Violation(Kind.TWO_HOLDERS, ledger, what))


def _sequence(name: str, appends: Iterable[Append]) -> list[Violation]:
    """Whether the receipts of the appends, by place, are one sequence."""
    found = []
    before: Append | None = None
    for append in sorted(appends):
        if before is not None:
            earlier, later = before.receipt, append.receipt
            back = later.epoch < earlier.epoch or later.number < earlier.number
            shared = later.epoch != earlier.epoch and later.number <= earlier.number
            if back or shared:
                found.append(Violation(Kind.WENT_BACK, name, f"{before} and then {append}"))
        before = append
    return found


def _places(name: str, lines: Sequence[Line], wanted: set[str]) -> list[Violation]:
    """Whether the lines are numbered one by one, and each was wanted and is there once."""
    found = []
    if [place for place, _ in lines] != list(range(1, len(lines) + 1)):
        found.append(Violation(Kind.TORN, name, "the places are not counted one by one"))
    places: dict[str, int] = {}
    for place, operation in lines:
        if operation in places:
            what = f"{operation} stands at {places[operation]} and {place}"
            found.append(Violation(Kind.TWICE, name, what))
        elif operation not in wanted:
            found.append(Violation(Kind.STRANGE, name, f"{operation} at {place}"))
        places[operation] = place
    return found
