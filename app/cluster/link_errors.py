"""Errors across a link: class, text and remedy travel; traces do not.

An error class is found again by its code. One that the other side does not know arrives as an
`ObjectFault` or a plain retryable error, by its flags.
"""

from collections.abc import Mapping
from typing import Any

from ..core.errors import RoomAborted, StateroomError


def error_meta(error: StateroomError) -> dict[str, Any]:
    """What is told of an error."""
    return {"code": error.code, "detail": error.detail, "remedy": error.remedy}


def error_from(meta: Mapping[str, Any]) -> StateroomError:
    """The error that was told."""
    cls = _by_code(StateroomError).get(str(meta.get("code")), RoomAborted)
    return cls(str(meta.get("detail", "")), remedy=str(meta.get("remedy", "")))


def _by_code(root: type[StateroomError]) -> dict[str, type[StateroomError]]:
    found = {root.code: root}
    for cls in root.__subclasses__():
        found |= _by_code(cls)
    return found
