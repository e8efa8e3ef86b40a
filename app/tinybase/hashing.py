"""The 32-bit hashes that peers compare (section 4).

All of them are FNV-1a over UTF-8. A container's hash is the XOR of its members' hashes, so the
order of members never matters and a member can be exchanged without the others.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from ..sdk.json import MAX_SAFE_INTEGER, UNDEFINED, dump_json, js_stringify

_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF


def hash32_pure(data: bytes) -> int:
    """FNV-1a of `data`, 32 bits, for where the compiled one is missing."""
    result = _OFFSET
    for byte in data:
        result = ((result ^ byte) * _PRIME) & _MASK
    return result


try:
    from fnv_hash_fast import fnv1a_32
except ImportError:  # pragma: no cover - the compiled hash is a declared dependency
    fnv1a_32 = hash32_pure

hash32: Final[Callable[[bytes], int]] = fnv1a_32
"""FNV-1a of some bytes, 32 bits."""


def text_bytes(text: str) -> bytes:
    """UTF-8 of an id; an unpaired surrogate becomes U+FFFD, as TextEncoder does it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def text_hash(text: str) -> int:
    """H(text) of an id or an HLC."""
    return hash32(text_bytes(text))


def member_hash(member_id: str, member: int) -> int:
    """M(id, h): what a member with hash `member` adds to its container's hash."""
    try:
        return hash32(f"{member_id}:{member}".encode())
    except UnicodeEncodeError:
        return hash32(text_bytes(f"{member_id}:{member}"))


@lru_cache(maxsize=4096)
def absent_hash(member_id: str) -> int:
    """M(id, 0), which stays in a row's hash for ever; ids of cells repeat from row to row."""
    return member_hash(member_id, 0)


def leaf_hash(value: Any, hlc: str) -> int:
    """The hash of a cell or value as it is stored; a deleted one hashes like null."""
    return hash32(b"%b:%b" % (_value_text(value), hlc.encode()))


def leaves_hash(leaves: dict[str, list[Any]], hlc: str) -> int:
    """The hash of a row, or of all values, from its leaves `[value]` or `[value, hlc]`."""
    result = text_hash(hlc) if hlc else 0
    for leaf_id, leaf in leaves.items():
        own = leaf_hash(leaf[0], leaf[1] if len(leaf) > 1 else "")
        result ^= member_hash(leaf_id, own) ^ absent_hash(leaf_id)
    return result


def _value_text(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        return b"null" if value == UNDEFINED else dump_json(value)
    if kind is int and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return b"%d" % value
    return js_stringify(value).encode()
