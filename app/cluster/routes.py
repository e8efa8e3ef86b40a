"""From a raw path to a namespace: patterns, first match wins. Pure.

`*` matches within one segment, `**` anything at all, so that `cursors/**` is everything below
`cursors/` and `**` everything (architecture, section 5).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the table."""

    pattern: str
    namespace: str


class RouteTable:
    """Routes in the order they are tried."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(_compile(route.pattern), route.namespace) for route in routes]

    def namespace_of(self, path: str) -> str | None:
        """The namespace of a raw path without its first slash; None when no route matches."""
        for pattern, namespace in self._routes:
            if pattern.fullmatch(path):
                return namespace
        return None


def _compile(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    words = {"**": "[^\n]*", "*": "[^/\n]*"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts))
