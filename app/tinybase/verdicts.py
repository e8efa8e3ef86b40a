"""What a class says about a change that a client proposes, and what it is told of refused ones.

The hooks that give verdicts are in `hooks.RoomHooks`: `authorize_table`, `authorize_row` and
`authorize_change`.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """The change is taken as it is."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The change is not taken, nobody else sees it, and the client goes back to what was there.

    Attributes:
        reason: For `on_refused`; the client is not told.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Amend:
    """Another value is taken in its place, and wins everywhere, at the client too.

    Attributes:
        value: None, str, bool, int, float, list or dict.
    """

    value: Any


Verdict = Allow | Refuse | Amend

ALLOW: Final = Allow()
"""The verdict of whoever has nothing against it."""

READ_ONLY: Final = Refuse("read-only")
"""Why a client that may only read has its changes refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedChange:
    """One cell or one value that a client wants to be another one.

    Attributes:
        table_id: The table's id; empty for a value.
        row_id: The row's id; empty for a value.
        cell_id: The cell's id; None for a value.
        value_id: The value's id; None for a cell.
        old: What it is; None when there is none (or when it is None).
        new: What it is to be; None when it is to be deleted (or to be None).
        added: Whether there is none yet.
        deleted: Whether it is to be deleted.
    """

    table_id: str = ""
    row_id: str = ""
    cell_id: str | None = None
    value_id: str | None = None
    old: Any
    new: Any
    added: bool
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedChange:
    """A change that was not taken, and why.

    Attributes:
        change: What was proposed.
        reason: That of the `Refuse`; `read-only` for a client that may only read.
    """

    change: ProposedChange
    reason: str
