"""From the raw path of a request to its operation.

The path is split first and each segment decoded once, so a name may hold a slash (`%2F`). A
fixed segment goes before a parameter at the same place. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from ...core.admin_errors import MethodNotAllowed, PathInvalid, PathUnknown
from .operation import Operation


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    methods: dict[str, Operation] = field(default_factory=dict)


class Routes:
    """All operations by their addresses.

    Args:
        operations: All of them; two at one address and method are a mistake.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            node = self._root
            for segment in operation.path.split("/")[1:]:
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.fixed.setdefault(segment, _Node())
            if operation.method in node.methods:
                raise ValueError(f"two operations at {operation.method} {operation.path}")
            node.methods[operation.method] = operation

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
        """Return the operation for a raw path below `/admin/v1` and the path's parameters.

        Raises:
            PathUnknown: There is nothing.
            PathInvalid: A segment is not UTF-8.
            MethodNotAllowed: There is something, for other methods.
        """
        segments = [_decoded(segment) for segment in path.split("/")[1:]]
        found = _find(self._root, segments, ())
        if found is None:
            raise PathUnknown
        methods, values = found
        operation = methods.get("GET" if method == "HEAD" else method)
        if operation is None:
            raise MethodNotAllowed(_allowed(methods))
        return operation, dict(zip(operation.parameters, values, strict=True))


def _find(
    node: _Node, segments: list[str], values: tuple[str, ...]
) -> tuple[Mapping[str, Operation], tuple[str, ...]] | None:
    if not segments:
        return (node.methods, values) if node.methods else None
    first, rest = segments[0], segments[1:]
    fixed = node.fixed.get(first)
    found = _find(fixed, rest, values) if fixed is not None else None
    if found is None and node.parameter is not None:
        found = _find(node.parameter, rest, (*values, first))
    return found


def _allowed(methods: Mapping[str, Operation]) -> list[str]:
    return sorted({*methods, "HEAD"} if "GET" in methods else methods)


def _decoded(segment: str) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise PathInvalid("a part of the path is not valid UTF-8") from None
