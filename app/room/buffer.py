"""The write buffer: what an object has written and the database has not confirmed.

Pure. Layers lie on one another, the newest on top:

    savepoints   one for each open transaction of the running event
    unit         the running event since its last commit point
    pending      finished units, waiting for their turn
    in flight    the batch that the committer holds
    (committed rows: the cache and the database)

A look-up asks from the top. A layer that was wiped (delete_all) hides everything below it.
Alarms lie in the same layers as the rows, so they are undone, kept and committed with them.
Whole units move down: `seal` lays the unit on `pending`, `freeze` makes `pending` the batch in
flight, `confirm` forgets it. At most one batch is in flight (architecture, section 7).
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Final

from ..core.values import Alarm
from .transaction_open import TransactionOpen


class Absence(Enum):
    """Why a look-up found no value."""

    UNKNOWN = auto()  # no layer says anything about the key
    DELETED = auto()  # the newest thing said is that it is gone


_ALARM_BYTES: Final = 64

UNKNOWN: Final = Absence.UNKNOWN
DELETED: Final = Absence.DELETED


class Layer:
    """Writes to distinct keys; None stands for a deletion."""

    __slots__ = ("alarms", "confirmed", "entries", "size_bytes", "uncached", "wiped")

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}
        self.wiped = False
        self.size_bytes = 0
        self.confirmed = False
        """Whether sends must wait for it: some write in it was not `allow_unconfirmed`."""
        self.uncached: set[bytes] | None = None
        """Keys that the author asked to keep out of the cache; None where there are none."""
        self.alarms: dict[str, Alarm | None] | None = None
        """Alarms by name, None for one that is deleted; None where there are no such writes."""

    def __bool__(self) -> bool:
        return self.wiped or bool(self.entries) or self.alarms is not None

    def set(self, key: bytes, value: bytes | None) -> None:
        """Write a value, or None to delete; a later write to a key replaces the earlier."""
        entries = self.entries
        before = entries.get(key, UNKNOWN)
        if before is UNKNOWN:
            self.size_bytes += len(key)
        elif isinstance(before, bytes):
            self.size_bytes -= len(before)
        if value is not None:
            self.size_bytes += len(value)
        entries[key] = value

    def set_all(self, writes: Mapping[bytes, bytes | None], *, added_bytes: int) -> None:
        """Write several; `added_bytes` is what their keys and values weigh."""
        if self.entries:
            for key, value in writes.items():
                self.set(key, value)
        else:
            self.entries.update(writes)
            self.size_bytes += added_bytes

    def keep_out(self, keys: Iterable[bytes]) -> None:
        """Keep these keys out of the cache."""
        if self.uncached is None:
            self.uncached = set(keys)
        else:
            self.uncached.update(keys)

    def set_alarm(self, name: str, alarm: Alarm | None) -> None:
        """Set an alarm, or None to delete it."""
        alarms = self.alarms
        if alarms is None:
            alarms = self.alarms = {}
        if name in alarms:
            self.size_bytes -= alarm_bytes(name, alarms[name])
        self.size_bytes += alarm_bytes(name, alarm)
        alarms[name] = alarm

    def wipe(self) -> None:
        """Delete every key and alarm there is; later writes stay."""
        self.alarms = None
        self.entries = {}
        self.size_bytes = 0
        self.wiped = True

    def absorb(self, newer: "Layer") -> None:
        """Lay a newer layer on this one."""
        if newer.wiped or not (self.entries or self.alarms):
            self.wiped = self.wiped or newer.wiped
            self.entries = newer.entries
            self.alarms = newer.alarms
            self.size_bytes = newer.size_bytes
        else:
            for key, value in newer.entries.items():
                self.set(key, value)
            if newer.alarms is not None:
                for name, alarm in newer.alarms.items():
                    self.set_alarm(name, alarm)
        self.confirmed = self.confirmed or newer.confirmed
        if newer.uncached is not None:
            self.keep_out(newer.uncached)


def alarm_bytes(name: str, alarm: Alarm | None) -> int:
    """What a change of an alarm weighs, roughly."""
    payload = alarm.payload if alarm is not None else None
    return _ALARM_BYTES + len(name) + (0 if payload is None else len(payload))


class WriteBuffer:
    """See the module."""

    __slots__ = ("_stack", "dirty", "flying", "pending", "undone")

    def __init__(self) -> None:
        self._stack: list[Layer] = [Layer()]  # the unit, then one layer a savepoint
        self.pending = Layer()
        """What finished units wrote that no batch has taken yet."""
        self.flying: Layer | None = None
        """The batch that the committer holds."""
        self.dirty = False
        """Whether finished units wait for a commit."""
        self.undone = 0
        """How often open transactions were undone, which then are no more."""

    @property
    def top(self) -> Layer:
        """Where the running event writes."""
        return self._stack[-1]

    @property
    def written(self) -> bool:
        """Whether the running unit has writes."""
        return any(self._stack)

    @property
    def clean(self) -> bool:
        """Whether nothing at all is unconfirmed."""
        return self.flying is None and not self.dirty and not any(self._stack)

    @property
    def unconfirmed_bytes(self) -> int:
        """Bytes of finished units that are not confirmed."""
        flying = self.flying.size_bytes if self.flying is not None else 0
        return flying + self.pending.size_bytes

    @property
    def unit_bytes(self) -> int:
        """Bytes of the running event's writes, those of open transactions included."""
        stack = self._stack
        return stack[0].size_bytes if len(stack) == 1 else sum(each.size_bytes for each in stack)

    def lookup(self, key: bytes) -> bytes | Absence:
        """Return the newest value, DELETED, or UNKNOWN when committed rows must be asked."""
        for layer in self._newest_first():
            value = layer.entries.get(key, UNKNOWN)
            if value is not UNKNOWN:
                return DELETED if value is None else value
            if layer.wiped:
                return DELETED
        return UNKNOWN

    def lookup_alarm(self, name: str) -> Alarm | Absence:
        """The same for an alarm: the newest one, DELETED, or UNKNOWN."""
        for layer in self._newest_first():
            if layer.alarms is not None and name in layer.alarms:
                return layer.alarms[name] or DELETED
            if layer.wiped:
                return DELETED
        return UNKNOWN

    @property
    def alarm_writes(self) -> int:
        """How many alarms are written at most."""
        return sum(len(layer.alarms) for layer in self._newest_first() if layer.alarms)

    def overlay_alarms(self) -> tuple[bool, dict[str, Alarm | None]]:
        """Return whether committed alarms are hidden, and all unconfirmed changes, as of now."""
        merged: dict[str, Alarm | None] = {}
        wiped = False
        for layer in reversed(self._newest_first()):
            if layer.wiped:
                wiped = True
                merged = {}
            merged.update(layer.alarms or {})
        return wiped, merged

    def overlay(self) -> tuple[bool, dict[bytes, bytes | None]]:
        """Return whether committed rows are hidden, and all unconfirmed entries, as of now."""
        merged: dict[bytes, bytes | None] = {}
        wiped = False
        for layer in reversed(list(self._newest_first())):
            if layer.wiped:
                wiped = True
                merged = {}
            merged.update(layer.entries)
        return wiped, merged

    def seal(self) -> bool:
        """End the running unit; returns whether sends made after it must wait for a commit.

        Raises:
            TransactionOpen: A transaction is still open; nothing is changed.
        """
        if len(self._stack) != 1:
            raise TransactionOpen("a commit point inside a transaction")
        unit = self._stack[0]
        if not unit.entries and not unit.wiped and unit.alarms is None:
            return False
        if self.dirty:
            self.pending.absorb(unit)
            self._stack[0] = Layer()
        else:  # the common case: the unit is the batch, and the next one takes the empty layer
            self.pending, self._stack[0] = unit, self.pending
            self.dirty = True
        return unit.confirmed

    def discard(self) -> None:
        """Undo the running unit and every open transaction."""
        self._stack = [Layer()]
        self.undone += 1

    def discard_transactions(self) -> None:
        """Undo every open transaction, and not the unit below."""
        del self._stack[1:]
        self.undone += 1

    def savepoint(self) -> int:
        """Open a transaction; returns its depth."""
        self._stack.append(Layer())
        return len(self._stack) - 1

    def keep(self, depth: int) -> None:
        """End the transaction at `depth`, the innermost, well."""
        self._check_innermost(depth)
        layer = self._stack.pop()
        self._stack[-1].absorb(layer)

    def rollback(self, depth: int) -> None:
        """Undo what the innermost transaction wrote; it stays open."""
        self._check_innermost(depth)
        self._stack[-1] = Layer()

    def freeze(self) -> Layer | None:
        """Make the pending units the batch in flight; None when there are none.

        Raises:
            RuntimeError: A batch is in flight already.
        """
        if self.flying is not None:
            raise RuntimeError("a batch is in flight already")
        if not self.dirty:
            return None
        self.flying = self.pending
        self.pending = Layer()
        self.dirty = False
        return self.flying

    def reserve(self) -> None:
        """Make a batch without any entries the batch in flight; units wait for its end.

        Raises:
            RuntimeError: Something is unconfirmed.
        """
        if not self.clean:
            raise RuntimeError("something is unconfirmed")
        self.flying = Layer()

    def confirm(self) -> Layer:
        """Forget the batch in flight, which is committed, and return it."""
        layer = self.flying
        if layer is None:
            raise RuntimeError("no batch is in flight")
        self.flying = None
        return layer

    @property
    def in_flight(self) -> bool:
        """Whether the committer holds a batch."""
        return self.flying is not None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return len(self._stack) > 1

    def innermost(self, depth: int) -> bool:
        """Whether the transaction at `depth` is open and none inside it is."""
        return depth == len(self._stack) - 1 and depth > 0

    def _check_innermost(self, depth: int) -> None:
        if not self.innermost(depth):
            raise RuntimeError("the transaction has ended, or one inside it is still open")

    def _newest_first(self) -> list[Layer]:
        layers = self._stack[::-1]
        layers.append(self.pending)
        if self.flying is not None:
            layers.append(self.flying)
        return layers
