"""Sorting what a client proposes: what is taken, what is refused, what becomes something else.

Only leaves that would win a merge are proposals. One that loses is left out: the others have
what it lost against. Stamps on containers and empty containers are left out too, no client of
today makes any. What is left is merged by the replica and passed on; the place of every refused
leaf has to be written again with a newer stamp, so that the client gives up what it has
(`corrections`).

Content without a stamp is a client's own default: where it is refused it stays what it is, on
that client alone, until anybody writes there.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..sdk.json import UNDEFINED
from .clock import Clock
from .content import plain_form, stored_form
from .replica import Replica
from .stamps import Leaf, Leaves, canonical_number, hlc_of
from .verdicts import READ_ONLY, Amend, ProposedChange, Refuse, RefusedChange, Verdict

Place = tuple[str, ...]
"""Where a leaf is: table, row and cell, or the value's id alone."""

_CELL = 3


class Judge(Protocol):
    """Gives the verdicts on what one client proposes."""

    @property
    def everything(self) -> Refuse | None:
        """Why the client may change nothing at all."""
        ...

    @property
    def whole_messages(self) -> bool:
        """Whether a message of which anything is refused is refused as a whole."""
        ...

    @property
    def tells(self) -> bool:
        """Whether somebody wants to know what was refused."""
        ...

    def table(self, table_id: str) -> Refuse | None:
        """Why nothing of a table may be changed."""
        ...

    def row(self, table_id: str, row_id: str) -> Refuse | None:
        """Why nothing of a row may be changed."""
        ...

    def change(self, change: ProposedChange) -> Verdict:
        """What becomes of one cell or value."""
        ...


@dataclass(slots=True)
class Screened:
    """What one message, or one pull, came down to.

    Attributes:
        kept: The leaves that are taken.
        amended: The values to be taken in place of what was proposed, and its stamp.
        refused: The stamps of what has to be corrected.
        unseen: Of those, the places whose value is what it was: only the stamp is another.
        told: What `on_refused` is told, if somebody wants to know.
        count: How many changes were refused.
        whole: Whether everything is taken as it came.
        taken: Whether the replica has taken `kept` and `amended`.
    """

    kept: dict[Place, Leaf] = field(default_factory=dict)
    amended: dict[Place, tuple[Any, str]] = field(default_factory=dict)
    refused: dict[Place, str] = field(default_factory=dict)
    unseen: set[Place] = field(default_factory=set)
    told: list[RefusedChange] = field(default_factory=list)
    count: int = 0
    whole: bool = True
    taken: bool = False

    def newest(self) -> str:
        """The greatest stamp of what is to be taken."""
        hlcs = [hlc_of(leaf) for leaf in self.kept.values()]
        hlcs += [hlc for _, hlc in self.amended.values()]
        return max(hlcs, default="")

    def amendments(self, clock: Clock, now_ms: int) -> dict[Place, Leaf]:
        """The amended leaves, each with a new stamp that beats the proposed one."""
        leaves: dict[Place, Leaf] = {}
        for place, (value, hlc) in self.amended.items():
            clock.seen(hlc, now_ms)
            leaves[place] = [value, clock.next(now_ms)]
        return leaves


def screened(replica: Replica, judge: Judge, changes: Any) -> Screened:
    """Sort the leaves of valid MergeableChanges."""
    sieve = _Sieve(judge)
    result = sieve.result
    tables, values = changes[0], changes[1]
    result.whole = not (hlc_of(tables) or hlc_of(values))
    for table_id, table in tables[0].items():
        _sift_table(sieve, replica, table_id, table)
    for value_id, leaf in values[0].items():
        sieve.sift((value_id,), replica.values.leaves.get(value_id), leaf, None)
    if judge.whole_messages and result.count and judge.everything is None:
        _refuse_the_rest(result)
    return result


def changes_of(leaves: dict[Place, Leaf]) -> list[Any]:
    """Return leaves as MergeableChanges."""
    tables: dict[str, list[dict[str, list[Leaves]]]] = {}
    values: Leaves = {}
    for place, leaf in leaves.items():
        if len(place) == _CELL:
            rows = tables.setdefault(place[0], [{}])[0]
            rows.setdefault(place[1], [{}])[0][place[2]] = leaf
        else:
            values[place[0]] = leaf
    return [[tables], [values], 1]


class LeafReader:
    """Reads leaves of a replica that does not change meanwhile; a row is decoded once in a row."""

    __slots__ = ("_cells", "_replica", "_row")

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._row: Place = ()
        self._cells: Leaves = {}

    def at(self, place: Place) -> Leaf | None:
        """Return the replica's own leaf; None where there never was one."""
        if len(place) != _CELL:
            return self._replica.values.leaves.get(place[0])
        row = place[:2]
        if row != self._row:
            self._row, self._cells = row, self._replica.cells(*row)
        return self._cells.get(place[2])


def _sift_table(sieve: "_Sieve", replica: Replica, table_id: str, table: list[Any]) -> None:
    judge, result = sieve.judge, sieve.result
    against = judge.table(table_id)
    if hlc_of(table) or not table[0]:
        result.whole = False
    for row_id, row in table[0].items():
        if hlc_of(row) or not row[0]:
            result.whole = False
        mine = replica.cells(table_id, row_id)
        against_row = judge.row(table_id, row_id) if against is None else against
        for cell_id, leaf in row[0].items():
            sieve.sift((table_id, row_id, cell_id), mine.get(cell_id), leaf, against_row)


def _refuse_the_rest(result: Screened) -> None:
    result.count += len(result.kept) + len(result.amended)
    for place, leaf in result.kept.items():
        if hlc := hlc_of(leaf):
            result.refused[place] = hlc
    for place, (_, hlc) in result.amended.items():
        if hlc:
            result.refused[place] = hlc
    result.kept, result.amended, result.whole = {}, {}, False


class _Sieve:
    """Sorts leaf after leaf."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.result = Screened()
        self._everything = judge.everything

    def sift(self, place: Place, mine: Leaf | None, leaf: Leaf, against: Refuse | None) -> None:
        """Put a leaf where it belongs."""
        result, hlc = self.result, hlc_of(leaf)
        stored = "" if mine is None else hlc_of(mine)
        if stored and hlc <= stored:
            result.whole = False  # it loses
        elif self._everything is not None:
            self._refuse_reader(place, mine, leaf, hlc)
        elif mine is not None and _same(mine[0], leaf[0]):
            result.kept[place] = leaf
        else:
            self._judge(place, mine, leaf, against)

    def _judge(self, place: Place, mine: Leaf | None, leaf: Leaf, against: Refuse | None) -> None:
        result, hlc = self.result, hlc_of(leaf)
        change = _proposed(place, mine, leaf) if against is None or self.judge.tells else None
        verdict: Verdict | None = against
        if verdict is None and change is not None:
            verdict = self.judge.change(change)
        match verdict:
            case Refuse(reason):
                self._refuse(place, hlc, change, reason)
            case Amend(value):
                result.whole = False
                result.amended[place] = (stored_form(value), hlc)
            case _:
                result.kept[place] = leaf

    def _refuse_reader(self, place: Place, mine: Leaf | None, leaf: Leaf, hlc: str) -> None:
        result = self.result
        if not hlc:
            result.whole = False
        elif mine is not None and _same(mine[0], leaf[0]):
            result.whole = False
            result.refused[place] = hlc
            result.unseen.add(place)
        else:
            change = _proposed(place, mine, leaf) if self.judge.tells else None
            self._refuse(place, hlc, change, READ_ONLY.reason)

    def _refuse(self, place: Place, hlc: str, change: ProposedChange | None, reason: str) -> None:
        result = self.result
        result.whole = False
        result.count += 1
        if hlc:
            result.refused[place] = hlc
        if change is not None and self.judge.tells:
            result.told.append(RefusedChange(change=change, reason=reason))


def _proposed(place: Place, mine: Leaf | None, leaf: Leaf) -> ProposedChange:
    old = UNDEFINED if mine is None else mine[0]
    new = leaf[0]
    is_cell = len(place) == _CELL
    return ProposedChange(
        table_id=place[0] if is_cell else "",
        row_id=place[1] if is_cell else "",
        cell_id=place[2] if is_cell else None,
        value_id=None if is_cell else place[0],
        old=None if old == UNDEFINED else plain_form(old),
        new=None if new == UNDEFINED else plain_form(new),
        added=old == UNDEFINED,
        deleted=new == UNDEFINED,
    )


def _same(mine: Any, theirs: Any) -> bool:
    """Whether two stored values are one; True is not 1, and containers are never compared."""
    if isinstance(theirs, (int, float)) and not isinstance(theirs, bool):
        theirs = canonical_number(theirs)
    return (
        type(mine) is type(theirs) and not isinstance(mine, (list, dict)) and bool(mine == theirs)
    )
