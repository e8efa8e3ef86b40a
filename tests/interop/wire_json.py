"""JSON as the interoperability tests write and read it.

Deliberately not `app.core.codec`: what the server says is judged by a reader that shares no code
with it, and the texts hold what a strict codec refuses (unpaired surrogates, minus zero, 1e21).
This is the only file here that may import the standard module.
"""

import json  # noqa: TID251 - see above: an independent reader is the point
from typing import Any, TypeAlias

Json: TypeAlias = Any


def dumps(thing: Json) -> str:
    """Return `thing` as ASCII-only JSON on one line, so that every string survives any pipe."""
    return json.dumps(thing, ensure_ascii=True, separators=(",", ":"))


def loads(text: str | bytes) -> Json:
    """Parse one JSON text. Raises ValueError if it is none."""
    return json.loads(text)
