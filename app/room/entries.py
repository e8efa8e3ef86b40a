"""What may be a key and a value: text and plain types on one side, bounded bytes on the other."""

from collections.abc import Iterable
from typing import Any

from ..core.errors import StorageRefused
from ..core.limits import KEY_BYTES, KEYS_PER_CALL, VALUE_BYTES
from ..core.storage_codec import encode_value


def stored_key(key: str) -> bytes:
    """Return the bytes of a key, by whose order rows are sorted.

    Raises:
        StorageRefused: It is longer than 2,048 bytes or holds a lone surrogate.
        TypeError: It is no text.
    """
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        raise StorageRefused("a key holds a lone surrogate") from None
    except AttributeError:
        raise TypeError(f"a key is text, not {type(key).__name__}") from None
    if len(raw) > KEY_BYTES:
        raise StorageRefused(f"a key has {len(raw)} bytes, the limit is {KEY_BYTES}")
    return raw


def stored_value(value: Any) -> bytes:
    """Return the stored form of a value, which is a copy of it.

    Raises:
        StorageRefused: It is longer than 2,000,000 bytes, or of a type that cannot be stored.
    """
    stored = encode_value(value)
    if len(stored) > VALUE_BYTES:
        raise StorageRefused(f"a value has {len(stored)} bytes, the limit is {VALUE_BYTES}")
    return stored


def at_most_128(keys: Iterable[str]) -> list[str]:
    """Return the keys of one call.

    Raises:
        StorageRefused: There are more of them.
        TypeError: It is one key and not several.
    """
    if isinstance(keys, str):
        raise TypeError("several keys are a list of texts, not one text")
    listed = list(keys)
    if len(listed) > KEYS_PER_CALL:
        raise StorageRefused(f"{len(listed)} keys in one call, the limit is {KEYS_PER_CALL}")
    return listed
