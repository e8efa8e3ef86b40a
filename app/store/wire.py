"""Postgres' wire protocol, as far as one prepared statement after the other needs it; no I/O.

Out: Parse with Describe, once for each statement, then Bind, Execute and Sync in one piece of
bytes. In: an `Answer`, fed with whatever arrives, complete at ReadyForQuery. All values are in
the binary format. What belongs to no answer (notices, changed parameters, notifications) may come
at any time; what does not belong to the protocol at all is an error.
"""

from collections.abc import Mapping, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever its name
from typing import Any, Final

import asyncpg

from .wire_values import DECODERS, ENCODERS

_INT2: Final = Struct("!h")
_INT4: Final = Struct("!i")
_OUT: Final = Struct("!ci")
_IN: Final = Struct("!Bi")
_COLUMN: Final = Struct("!ihihih")
"""Of a column: its table, its number there, its type, the type's size and modifier, the format."""

_SYNC: Final = _OUT.pack(b"S", 4)
_EXECUTE_AND_SYNC: Final = _OUT.pack(b"E", 9) + bytes(5) + _SYNC
_BINARY: Final = _INT2.pack(1) + _INT2.pack(1)
"""One format for all of them, and it is the binary one."""
TERMINATE: Final = _OUT.pack(b"X", 4)

_ROW: Final = ord("D")
_READY: Final = ord("Z")
_ERROR: Final = ord("E")
_NOTICE: Final = ord("N")
_PARAMETERS: Final = ord("t")
_COLUMNS: Final = ord("T")
_PASSED_OVER: Final = frozenset(b"123CISnA")
"""Each step is done; parameters of the session; notifications."""

Row = Mapping[str, Any]
"""One row of an answer, by the names of its columns."""
Fields = dict[str, str]
"""What an error or a notice says, by the letters of the protocol."""


def prepare(name: str, sql: str) -> bytes:
    """The bytes that prepare a statement under a name and ask for its types."""
    label = name.encode() + b"\0"
    parse = label + sql.encode() + b"\0" + _INT2.pack(0)
    describe = b"S" + label
    return b"".join(
        (
            _OUT.pack(b"P", 4 + len(parse)),
            parse,
            _OUT.pack(b"D", 4 + len(describe)),
            describe,
            _SYNC,
        )
    )


class Answer:
    """What the server says until it is ready for the next statement.

    Attributes:
        rows: The rows, as they came; `Statement.row` reads them.
        error: The error, if there was one; then nothing was done.
        notices: Warnings and the like.
        parameters: Types of the parameters of a statement that was described.
        columns: Names and types of its columns.
    """

    __slots__ = ("_rest", "columns", "error", "notices", "parameters", "rows")

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.error: Fields | None = None
        self.notices: list[Fields] = []
        self.parameters: list[int] = []
        self.columns: list[tuple[str, int]] = []
        self._rest = b""

    def feed(self, data: bytes) -> bool:
        """Take what arrived; True when the answer is complete.

        Raises:
            asyncpg.ProtocolError: It is not what a server says to us.
        """
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        ready = False
        while end - at > _INT4.size:
            kind, size = _IN.unpack_from(data, at)
            after = at + 1 + size
            if after > end:
                break
            if kind == _ROW:
                self.rows.append(data[at + 5 : after])
            elif kind == _READY:
                ready = True
            elif kind not in _PASSED_OVER:
                self._take(kind, data[at + 5 : after])
            at = after
        self._rest = data[at:]
        return ready

    def _take(self, kind: int, body: bytes) -> None:
        if kind == _ERROR:
            self.error = _fields(body)
        elif kind == _NOTICE:
            self.notices.append(_fields(body))
        elif kind == _PARAMETERS:
            self.parameters = [type_ for (type_,) in _INT4.iter_unpack(body[_INT2.size :])]
        elif kind == _COLUMNS:
            self.columns = list(_columns(body))
        else:
            raise asyncpg.ProtocolError(f"a message of kind {kind} belongs to no answer")


class Statement:
    """A statement that the server has prepared under a name.

    Args:
        name: Its name there.
        described: The answer to its preparation.

    Raises:
        asyncpg.InterfaceError: It has a type that we do not know.
    """

    __slots__ = ("_decoders", "_encoders", "_head")

    def __init__(self, name: str, described: Answer) -> None:
        try:
            self._encoders = [ENCODERS[type_] for type_ in described.parameters]
            self._decoders = [(column, DECODERS[type_]) for column, type_ in described.columns]
        except KeyError as error:
            raise asyncpg.InterfaceError(f"no format for the type {error.args[0]}") from None
        formats = _INT2.pack(1) + _INT2.pack(1) + _INT2.pack(len(self._encoders))
        self._head = b"\0" + name.encode() + b"\0" + formats

    def call(self, arguments: Sequence[Any]) -> bytes:
        """The bytes that run it.

        Raises:
            ValueError: A value does not fit its parameter. Its text quotes none.
        """
        try:
            parts = [encode(value) for encode, value in zip(self._encoders, arguments, strict=True)]
        except (TypeError, AttributeError, OverflowError, StructError):
            raise ValueError("a value does not fit the type of its parameter") from None
        size = 4 + len(self._head) + sum(map(len, parts)) + len(_BINARY)
        head = _OUT.pack(b"B", size)
        return b"".join((head, self._head, *parts, _BINARY, _EXECUTE_AND_SYNC))

    def row(self, raw: bytes) -> Row:
        """What a row of its answer says."""
        at = _INT2.size
        row: dict[str, Any] = {}
        for column, decode in self._decoders:
            (size,) = _INT4.unpack_from(raw, at)
            at += _INT4.size
            if size < 0:
                row[column] = None
                continue
            row[column] = decode(raw[at : at + size])
            at += size
        return row


def _fields(body: bytes) -> Fields:
    texts = (text for text in body.split(b"\0") if text)
    # A server says what is wrong with a login in any encoding; nobody needs those texts.
    return {chr(text[0]): text[1:].decode(errors="replace") for text in texts}


def _columns(body: bytes) -> list[tuple[str, int]]:
    columns = []
    at = _INT2.size
    while at < len(body):
        end = body.index(b"\0", at)
        _, _, type_, _, _, _ = _COLUMN.unpack_from(body, end + 1)
        columns.append((body[at:end].decode(), type_))
        at = end + 1 + _COLUMN.size
    return columns
