"""JSON of bounded size, read from files that strangers send."""

from pathlib import Path
from typing import Any, Final

from ..sdk.json import JsonError, parse_json

JSON_BYTES: Final = 32 << 20
"""The largest JSON text that is parsed as one: it takes a dozen times as much memory."""


def read_json_file(file: Path) -> Any:
    """Return what a file says.

    Raises:
        ValueError: It is no JSON, or too large.
    """
    if file.stat().st_size > JSON_BYTES:
        raise ValueError(f"a JSON text may have {JSON_BYTES} bytes")
    return read_json_text(file.read_bytes())


def read_json_text(text: str | bytes) -> Any:
    """Return what a text says.

    Raises:
        ValueError: It is no JSON.
    """
    if len(text) > JSON_BYTES:
        raise ValueError(f"a JSON text may have {JSON_BYTES} bytes")
    try:
        return parse_json(text)
    except JsonError as error:
        raise ValueError(f"it is no JSON: {error}") from None
