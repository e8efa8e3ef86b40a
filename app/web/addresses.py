"""From a request target to an object: which part of the raw path names what. Pure.

A room's name is everything after the first `/`, raw and undecoded (reference: tinybase-sync,
section 2.1). `/objects/{namespace}/{name}[/rest]` is the ordinary address of any object, whose
name is percent-decoded; `/objects/tinybase/x` is the room `x`.
"""

from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ..core.errors import IdInvalid

_OBJECTS = "objects"
OBJECTS = f"{_OBJECTS}/"
"""What the address of any object begins with."""
_SEGMENTS = 3


class ObjectAddress(NamedTuple):
    """Where a request goes.

    Attributes:
        namespace: The namespace's name.
        name: The object's name.
        rest: The remaining path, which is the object's own business; begins with `/`.
    """

    namespace: str
    name: str
    rest: str


def raw_path_of(scope_path: bytes) -> str:
    """The raw path without its first slash.

    Raises:
        IdInvalid: It is not UTF-8.
    """
    try:
        return scope_path[1:].decode()
    except UnicodeDecodeError:
        raise IdInvalid("the path is not valid UTF-8") from None


def below_root(raw: bytes, root: str) -> bytes:
    """The raw path below the application's own root: that of a Mount, or of a proxy's prefix.

    A path that does not begin with the root is left as it is: some servers and frameworks tell a
    root that they have taken away already.
    """
    root = root.rstrip("/")
    if not root:
        return raw
    segments = raw.split(b"/")
    depth = root.count("/") + 1
    try:
        told = unquote_to_bytes(b"/".join(segments[:depth])).decode()
    except UnicodeDecodeError:
        return raw
    if told != root:
        return raw
    return b"/" + b"/".join(segments[depth:])


def check_name(name: str, *, limit_bytes: int) -> str:
    """Return the name, if it is short enough to be opened by.

    Raises:
        IdInvalid: It is longer than the limit.
    """
    size = len(name.encode())
    if size > limit_bytes:
        raise IdInvalid(f"the name has {size} bytes, the limit is {limit_bytes}")
    return name


def is_reserved(path: str, reserved: Collection[str]) -> bool:
    """Whether the first segment belongs to the service itself."""
    return path.partition("/")[0] in reserved


def object_address(path: str) -> ObjectAddress | None:
    """Read `objects/{namespace}/{name}[/rest]`; None when it is not of that form.

    Raises:
        IdInvalid: The name is not UTF-8.
    """
    parts = path.split("/", _SEGMENTS)
    if len(parts) < _SEGMENTS or parts[0] != _OBJECTS or not parts[1] or not parts[2]:
        return None
    try:
        name = unquote_to_bytes(parts[2]).decode()
    except UnicodeDecodeError:
        raise IdInvalid("the name is not valid UTF-8") from None
    return ObjectAddress(parts[1], name, "/" + (parts[3] if len(parts) > _SEGMENTS else ""))
