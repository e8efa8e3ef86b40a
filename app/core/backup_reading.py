"""Reading an export that comes in pieces: pure, bounded, and told where it is damaged.

Bytes go in, events come out. Only an object that ends with `ObjectEnds` is whole: all its lines
were there and agreed. One that is followed by `Damage`, or in which another begins, is void; what
follows damage is passed over up to the next object. A line over the bound is damage like any
other, and is not kept.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from .backup_errors import BackupDamaged, BackupTruncated, BackupUnreadable
from .backup_lines import (
    LONGEST_LINE_BYTES,
    AlarmLine,
    EndLine,
    FinishLine,
    HeaderLine,
    HeadLine,
    Line,
    RowLine,
    line_digest,
    parse_header,
    parse_line,
)
from .content_digest import ContentDigest, Digest
from .error_root import StateroomError
from .limits import ALARMS, DEAD_ALARMS

_MOST_ALARMS: Final = ALARMS + DEAD_ALARMS


@dataclass(frozen=True, slots=True)
class ObjectBegins:
    """The first line of an object, and its number."""

    line: int
    head: HeadLine


@dataclass(frozen=True, slots=True)
class ObjectEnds:
    """All of the object was there; the digest of its rows."""

    line: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is wrong; the object that it belongs to, if it is within one, is void."""

    line: int
    error: StateroomError


BackupEvent = HeaderLine | ObjectBegins | RowLine | AlarmLine | ObjectEnds | Damage | FinishLine


class LineSplitter:
    """Makes lines of pieces; holds at most one line and one piece.

    Args:
        longest_bytes: A line over this comes out as None.
    """

    def __init__(self, *, longest_bytes: int = LONGEST_LINE_BYTES) -> None:
        self._longest_bytes = longest_bytes
        self._number = 0
        self._kept: list[bytes] = []
        self._size = 0
        self._overlong = False

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Yield the lines that end within this piece, with their numbers from 1."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._keep(piece[start:end])
            yield self._line()
            start = end + 1
        self._keep(piece[start:])

    def rest(self) -> tuple[int, bytes | None] | None:
        """What is left at the end: a line without its line end, or None."""
        return self._line() if self._size or self._overlong else None

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest_bytes:
            self._overlong = True
            self._kept.clear()
        elif piece:
            self._kept.append(piece)

    def _line(self) -> tuple[int, bytes | None]:
        line = None if self._overlong else b"".join(self._kept)
        self._kept.clear()
        self._size = 0
        self._overlong = False
        self._number += 1
        return self._number, line


class _At(Enum):
    """Where the reader is: HEADER -> BETWEEN <-> INSIDE or PASSING -> FINISHED."""

    HEADER = auto()
    BETWEEN = auto()
    INSIDE = auto()
    PASSING = auto()  # over the rest of a damaged object
    FINISHED = auto()


class BackupReader:
    """See the module. Lines go in, in order; blank ones say nothing."""

    def __init__(self) -> None:
        self._at = _At.HEADER
        self._content = ContentDigest()
        self._last_key: bytes | None = None
        self._alarms: set[str] = set()
        self._lines_sum = hashlib.sha256()
        self._objects = self._rows = self._size_bytes = 0
        self._ends_sum = hashlib.sha256()
        self.whole = False
        """Whether the last line was there and agreed with all before it."""

    def take(self, number: int, raw: bytes | None) -> BackupEvent | None:
        """Take the next line; None when nothing follows from it.

        Raises:
            BackupUnreadable: It is the first line, and not that of an export.
        """
        if self._at is _At.HEADER:
            if raw is None:
                raise BackupUnreadable
            header = parse_header(raw)
            self._at = _At.BETWEEN
            return header
        if raw is not None and not raw.strip():
            return None
        try:
            if raw is None:
                raise BackupDamaged("the line is too long")
            return self._next(number, parse_line(raw), raw)
        except StateroomError as error:
            if self._at is _At.PASSING or (self._at is _At.FINISHED and not self.whole):
                return None
            if self._at is not _At.FINISHED:
                self._at = _At.PASSING
            self.whole = False
            return Damage(number, error)

    def end(self, number: int) -> Damage | None:
        """The file is over; damage if an object was not, or the last line was not there.

        Args:
            number: Of the line that should have come.

        Raises:
            BackupUnreadable: Nothing came at all.
        """
        if self._at is _At.HEADER:
            raise BackupUnreadable
        if self._at is _At.FINISHED:
            return None
        return Damage(number, BackupTruncated())

    def _next(self, number: int, line: Line, raw: bytes) -> BackupEvent | None:
        if self._at is _At.PASSING and not isinstance(line, HeadLine | FinishLine):
            return None
        if self._at is _At.FINISHED:
            raise BackupDamaged("there is more after the last line")
        inside = self._at is _At.INSIDE
        match line:
            case RowLine(key, value) if inside:
                return self._row(line, key, value)
            case AlarmLine() if inside:
                return self._alarm(line)
            case EndLine() if inside:
                return self._end(number, line, raw)
            case HeadLine():
                return self._begin(number, line, raw)
            case FinishLine() if not inside:
                return self._finish(line)
            case _:
                raise BackupDamaged("the line does not belong here")

    def _begin(self, number: int, line: HeadLine, raw: bytes) -> ObjectBegins:
        self._at = _At.INSIDE
        self._content = ContentDigest()
        self._last_key = None
        self._alarms.clear()
        self._lines_sum = hashlib.sha256(line_digest(raw))
        return ObjectBegins(number, line)

    def _row(self, line: RowLine, key: bytes, value: bytes) -> RowLine:
        if self._last_key is not None and key <= self._last_key:
            raise BackupDamaged("the keys of the rows do not ascend")
        self._last_key = key
        self._content.add(key, value)
        return line

    def _alarm(self, line: AlarmLine) -> AlarmLine:
        if line.name in self._alarms or len(self._alarms) >= _MOST_ALARMS:
            raise BackupDamaged("an alarm stands twice, or there are too many")
        self._alarms.add(line.name)
        self._lines_sum.update(line.sha256)
        return line

    def _end(self, number: int, line: EndLine, raw: bytes) -> ObjectEnds:
        digest = self._content.digest()
        found = (digest, len(self._alarms), self._lines_sum.hexdigest())
        if found != (line.digest, line.alarms, line.lines_sha256):
            raise BackupDamaged("the object's lines are not what its last line says")
        self._at = _At.BETWEEN
        self._objects += 1
        self._rows += digest.rows
        self._size_bytes += digest.size_bytes
        self._ends_sum.update(line_digest(raw))
        return ObjectEnds(number, digest)

    def _finish(self, line: FinishLine) -> FinishLine:
        found = (self._objects, self._rows, self._size_bytes, self._ends_sum.hexdigest())
        if found != (line.objects, line.rows, line.size_bytes, line.sha256):
            self._at = _At.FINISHED
            self.whole = True  # until this is told
            raise BackupDamaged("not all objects of the export came whole")
        self._at = _At.FINISHED
        self.whole = True
        return line
