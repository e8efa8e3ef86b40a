"""The content hashes that a replica must tell for a content: worked out anew from the cells.

TinyBase's definition (FNV-1a over texts, members combined by XOR), for what the generator writes:
one table of rows of cells that hold plain strings, no stamps on containers, no values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fnv_hash_fast import fnv1a_32

from bench.messages import TABLE

if TYPE_CHECKING:
    from bench.messages import Cells


def _member(name: str, value: int) -> int:
    return fnv1a_32(f"{name}:{value}".encode())


def content_hashes(cells: Cells) -> list[int]:
    """Return `[hash of the tables, hash of the values]`; the strings need no escapes."""
    rows: dict[str, int] = {}
    for (row, cell), (value, stamp) in cells.items():
        leaf = fnv1a_32(f'"{value}":{stamp}'.encode())
        rows[row] = rows.get(row, 0) ^ _member(cell, leaf) ^ _member(cell, 0)
    table = 0
    for row, combined in rows.items():
        table ^= _member(row, combined)
    return [_member(TABLE, table) if rows else 0, 0]
