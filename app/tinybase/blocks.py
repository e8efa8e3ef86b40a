"""The rows of a large table as JSON text, in blocks that are encoded once.

Everybody who joins a room is told the same rows. A block is the text of some rows, in the order
in which they came, as members of an object; when one of them changes, its block alone is encoded
anew. What was handed out stays as it is, so it may be sent slowly.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from ..sdk.json import dump_json, parse_json
from .stamps import encode_row

BLOCK_BYTES: Final = 1 << 16
"""A block takes rows up to this size; one row may be larger alone."""

_GROWN_BYTES: Final = 4 * BLOCK_BYTES
_MEMBER_BYTES: Final = 4
_key: Final = re.compile(rb'("(?:[^"\\]|\\.)*+"):', re.DOTALL).match


class WholeTable(NamedTuple):
    """A table with all its rows, as it was when it was asked for."""

    table_id: str
    hlc: str
    blocks: tuple[bytes, ...]


def encode_members(rows: Iterable[tuple[str, bytes]]) -> bytes:
    """Return rows as the members of a JSON object, without its braces."""
    return b",".join([b"%b:%b" % (dump_json(row_id), row) for row_id, row in rows])


def rows_in(block: bytes) -> list[tuple[str, bytes]]:
    """Return the rows of a block. One so large holds a row alone, which is not taken apart."""
    if len(block) > _GROWN_BYTES and (key := _key(block)) is not None:
        return [(parse_json(key[1]), block[key.end() :])]
    stamps = parse_json(b"{%b}" % block)
    return [
        (row_id, encode_row(stamp[0], stamp[1] if len(stamp) > 1 else ""))
        for row_id, stamp in stamps.items()
    ]


class Blocks:
    """The blocks of one table. Rows may come and change, but never go.

    It knows nothing of the rows until `texts` is called; from then on it has to be told what
    changes.
    """

    __slots__ = ("_ids", "_open_bytes", "_place", "_texts")

    def __init__(self) -> None:
        self._ids: list[list[str]] = []
        self._texts: list[bytes | None] = []
        self._place: dict[str, int] = {}
        self._open_bytes = BLOCK_BYTES  # of the last block; there is none yet that takes a row

    def changed(self, row_ids: Iterable[str]) -> None:
        """Note that these rows are others, or new."""
        place, texts = self._place, self._texts
        for row_id in row_ids:
            at = place.get(row_id)
            if at is not None:
                texts[at] = None

    def rows_to_encode(self, rows: Mapping[str, bytes]) -> int:
        """How many rows the next `texts` has to encode."""
        new = len(rows) - len(self._place)
        return new + sum(len(self._ids[at]) for at, text in enumerate(self._texts) if text is None)

    def texts(self, rows: Mapping[str, bytes]) -> tuple[bytes, ...]:
        """Return the table's blocks; joined with commas they are all its rows."""
        if len(rows) > len(self._place):
            self._take(islice(rows.items(), len(self._place), None))
        for at, text in enumerate(self._texts):
            if text is None:
                ids = self._ids[at]
                encoded = encode_members([(row_id, rows[row_id]) for row_id in ids])
                if len(encoded) > _GROWN_BYTES and len(ids) > 1:
                    return self._anew(rows)
                self._texts[at] = encoded
        return tuple(self._texts)  # type: ignore[arg-type]  # none is missing any more

    def _take(self, new: Iterable[tuple[str, bytes]]) -> None:
        """Put rows into the last block while it takes them, then into further ones."""
        for row_id, row in new:
            size = len(row_id) + len(row) + _MEMBER_BYTES
            if self._open_bytes + size > BLOCK_BYTES:
                self._ids.append([])
                self._texts.append(None)
                self._open_bytes = 0
            self._place[row_id] = len(self._ids) - 1
            self._ids[-1].append(row_id)
            self._texts[-1] = None
            self._open_bytes += size

    def _anew(self, rows: Mapping[str, bytes]) -> tuple[bytes, ...]:
        """Divide the rows into blocks again: some have grown too much."""
        Blocks.__init__(self)
        return self.texts(rows)
