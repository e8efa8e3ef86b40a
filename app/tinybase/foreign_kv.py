r"""The key-value layout of the Durable Object storage persister, read from a dump (section 12).

One key a node: the prefix, `t` or `v`, and the ids as JSON without the brackets. A dump is an
object of keys and values, a list of pairs, or one pair a line: `["t\"pets\"",[0,"",1]]`. A
deleted leaf holds U+FFFC, because JSON has no undefined.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from ..sdk.json import JsonError, parse_json
from .foreign_json import JSON_BYTES, read_json_file, read_json_text
from .stamps import Leaves

_TABLES: Final = "t"
_CELL_IDS: Final = 3
_PAIR: Final = 2
_STAMP: Final = range(1, 4)

Changes = list[Any]


def read_key_values(file: Path, prefix: str) -> Changes:
    """Return the MergeableChanges that the keys with that prefix hold.

    Raises:
        ValueError: It is no dump, or holds no key of TinyBase with that prefix.
    """
    tables: dict[str, list[dict[str, list[Leaves]]]] = {}
    values: Leaves = {}
    known = False
    for key, node in _entries(file):
        if not key.startswith(prefix) or (ids := _ids(key[len(prefix) :])) is None:
            continue
        known = True
        kind, path = ids
        if not isinstance(node, list) or len(node) not in _STAMP:
            raise ValueError(f"the value of {key[:80]!r} is no stamp")
        if kind == _TABLES and len(path) == _CELL_IDS:
            rows = tables.setdefault(path[0], [{}])[0]
            rows.setdefault(path[1], [{}])[0][path[2]] = node[:2]
        elif kind != _TABLES and len(path) == 1:
            values[path[0]] = node[:2]
    if not known:
        raise ValueError("no key in it is one of TinyBase; name the prefix as the source")
    return [[tables], [values], 1]


def _ids(rest: str) -> tuple[str, list[str]] | None:
    """The kind and the ids of a key behind its prefix, or None: it is somebody else's key."""
    kind, inner = rest[:1], rest[1:]
    if kind not in ("t", "v"):
        return None
    try:
        ids = parse_json(f"[{inner}]")
    except JsonError:
        return None
    most = _CELL_IDS if kind == _TABLES else 1
    if len(ids) > most or not all(isinstance(each, str) for each in ids):
        return None
    return kind, ids


def _entries(file: Path) -> Iterator[tuple[str, Any]]:
    with file.open("rb") as lines:
        first = lines.readline(JSON_BYTES)
        second = lines.readline(1)
    whole: Any = None
    try:
        whole = parse_json(first)
    except JsonError:
        second = b""  # one JSON over several lines
    if second:
        return _of_lines(file)
    return _of_one(read_json_file(file) if whole is None else whole)


def _of_lines(file: Path) -> Iterator[tuple[str, Any]]:
    with file.open("rb") as lines:
        while line := lines.readline(JSON_BYTES):
            if line.strip():
                yield _pair(read_json_text(line))


def _of_one(dump: Any) -> Iterator[tuple[str, Any]]:
    pairs: Iterable[Any] = [dump]
    if isinstance(dump, dict) and dump.keys() != {"key", "value"}:
        pairs = dump.items()
    elif isinstance(dump, list) and not (dump and isinstance(dump[0], str)):
        pairs = dump
    return (_pair(pair) for pair in pairs)


def _pair(pair: Any) -> tuple[str, Any]:
    if isinstance(pair, dict) and pair.keys() == {"key", "value"}:
        pair = (pair["key"], pair["value"])
    if isinstance(pair, list | tuple) and len(pair) == _PAIR and isinstance(pair[0], str):
        return pair[0], pair[1]
    raise ValueError("an entry of a dump is a key and its value")
