"""Whole tables as messages, joined from the blocks that their rows are kept in.

No row is encoded or copied here, unless it is too large for the message it should go into.
"""

from collections.abc import Iterable, Iterator

from ..sdk.json import dump_json
from .blocks import WholeTable, rows_in
from .changes import TableRows, changes_in_pieces
from .parted import Parts, gathered


def whole_stamp(tables: Iterable[WholeTable], hlc: str = "") -> Iterator[bytes]:
    """Yield the parts of a TablesStamp."""
    before = b"[{"
    for table_id, table_hlc, blocks in tables:
        yield b"%b%b:[{" % (before, dump_json(table_id))
        before = b","
        separator = b""
        for block in blocks:
            yield separator
            yield block
            separator = b","
        yield _end(table_hlc)
    if before == b"[{":
        yield before
    yield _end(hlc)


def whole_in_pieces(tables: Iterable[WholeTable], piece_bytes: int) -> Iterator[Parts]:
    """Yield bodies of ContentDiffs of at most about `piece_bytes` that hold it all."""
    piece: list[WholeTable] = []
    size = 0
    for table_id, hlc, blocks in tables:
        taken: list[bytes] = []
        for block in blocks:
            if len(block) > piece_bytes:  # most likely one large row, to be cut between its cells
                rows = TableRows(table_id, hlc, rows_in(block))
                for body in changes_in_pieces([rows], {}, piece_bytes):
                    yield (body,)
                continue
            if size and size + len(block) > piece_bytes:
                yield _changes([*piece, WholeTable(table_id, hlc, tuple(taken))])
                piece, taken, size = [], [], 0
            taken.append(block)
            size += len(block)
        if taken or hlc:
            piece.append(WholeTable(table_id, hlc, tuple(taken)))
    if piece:
        yield _changes(piece)


def _changes(tables: list[WholeTable]) -> Parts:
    """MergeableChanges: the body of a ContentDiff."""
    told = [table for table in tables if table.blocks or table.hlc]
    return gathered([b"[", *whole_stamp(told), b",[{}],1]"])


def _end(hlc: str) -> bytes:
    return b"},%b]" % dump_json(hlc) if hlc else b"}]"
