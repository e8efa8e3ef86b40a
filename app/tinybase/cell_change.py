"""The message that nearly every frame is: one client has set one cell, and tells everybody.

    LF ["id",3,[[{"table":[{"row":[{"cell":[value,"hlc"]}]}]}],[{}],1]]

One pattern tells such a frame, checks it as the first gate does (section 6) and takes it apart,
without making values of its parts. It is stricter than the gate: ids and texts without anything
that JSON escapes, numbers whose text is the one they are printed with, a stamp at the cell and
nowhere else. So the leaf is, as it stands in the frame, what the replica would store. Whatever
else is valid is left to `wire.parse_frame`, with the same result.
"""

import re
from typing import Final

_CHARACTER: Final = r'[^"\\\x00-\x1f\ud800-\udfff]'
_ID_CHARACTER: Final = r'[^"\\\x00-\x1f\ud800-\udfff\ufffc]'
_ID: Final = rf'"({_ID_CHARACTER}*+)"'
_INTEGER: Final = r"0|-?[1-9][0-9]{0,14}+"
_DECIMAL: Final = r"-?(?:[1-9][0-9]{0,8}+|0(?=\.[1-9]))\.[0-9]{0,5}[1-9]"
_VALUE: Final = rf'"{_CHARACTER}*+"|(?:{_DECIMAL}|{_INTEGER}|true|false|null)(?=,)'
_LEAF: Final = rf'(\[(?:{_VALUE}),"([-0-9A-Z_a-z]{{16}})"\])'
_match: Final = re.compile(
    rf'\n\[(?:null|"{_ID_CHARACTER}*+"),3,'
    rf"\[\[\{{{_ID}:\[\{{{_ID}:\[\{{{_ID}:{_LEAF}\}}\]\}}\]\}}\],\[\{{\}}\],1\]\]"
).fullmatch

CellChange = tuple[str, str, str, str, str]
"""Table, row and cell, whose JSON is themselves between quotes; the leaf `[value,"hlc"]` as it is
stored; and the stamp in it. A bare tuple, because one is made for nearly every frame."""


def cell_change(text: str) -> CellChange | None:
    """Return what a frame sets, or None when it must be read by `wire.parse_frame`."""
    match = _match(text)
    return None if match is None else match.groups()  # type: ignore[return-value]  # five groups
