"""TinyBase frames that the generator writes and reads (plain mode, one socket = one client).

A payload is `<address> LF <remainder>`; the remainder is `[requestId, type, body]`. Every message
of a run is a ContentDiff that changes one cell of the table `bench`, as a real client sends it for
one `setCell`. Row, cell and value follow from a number and never repeat, so bytes identify it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from bench.hlc import HlcClock, digits

RESPONSE, GET_CONTENT_HASHES, CONTENT_DIFF, GET_TABLE_DIFF = 0, 1, 3, 4
REPLICA = b"S"
TABLE = "bench"
CELLS_A_ROW = 4

Cells = dict[tuple[str, str], tuple[str, str]]
"""(row id, cell id) -> (value, stamp)."""


class Change(NamedTuple):
    """A remainder to broadcast and what it leaves behind in a replica."""

    remainder: bytes
    cells: Cells


def one_cell(number: int, rows: int, writer: str, clock: HlcClock) -> Change:
    """Return the diff that sets one cell; numbers walk through all cells in a scattered order."""
    row, cell = f"r{number * 7919 % rows}", f"c{number % CELLS_A_ROW}"
    value, stamp = f"value {number:010d}", clock.next(writer)
    remainder = (
        f'["{digits(number, 11)}",3,[[{{"{TABLE}":[{{"{row}":[{{"{cell}":'
        f'["{value}","{stamp}"]}}]}}]}}],[{{}}],1]]'
    )
    return Change(remainder.encode(), {(row, cell): (value, stamp)})


def many_rows(first: int, count: int, writer: str, clock: HlcClock) -> Change:
    """Return one diff that fills the rows `first` .. `first + count - 1`."""
    cells: Cells = {}
    rows: dict[str, list[dict[str, list[str]]]] = {}
    for number in range(first, first + count):
        row: dict[str, list[str]] = {}
        for cell in range(CELLS_A_ROW):
            pair = (f"value {number * CELLS_A_ROW + cell:010d}", clock.next(writer))
            row[f"c{cell}"] = list(pair)
            cells[f"r{number}", f"c{cell}"] = pair
        rows[f"r{number}"] = [row]
    body = [[{TABLE: [rows]}], [{}], 1]
    request = f"seed{digits(first, 7)}"
    return Change(orjson.dumps([request, CONTENT_DIFF, body]), cells)


def broadcast(remainder: bytes) -> bytes:
    """Address `remainder` to everybody else in the room, the server's replica included."""
    return b"\n" + remainder


def question(request_id: str, kind: int, body: Any) -> bytes:
    """Return a question to the server's replica."""
    return REPLICA + b"\n" + orjson.dumps([request_id, kind, body])


def cells_of(tables_stamp: list[Any]) -> Cells:
    """Return the cells of the table `bench` in a TablesStamp, `{}` if it does not mention them."""
    table = tables_stamp[0].get(TABLE)
    if table is None:
        return {}
    return {
        (row, cell): (leaf[0], leaf[1])
        for row, row_stamp in table[0].items()
        for cell, leaf in row_stamp[0].items()
    }
