"""How objects are named on the command line, and where the admin API has them.

`namespace/name`, or a plain name for a room of the namespace `tinybase`. The first slash ends the
namespace, so a TinyBase room whose name has a slash is written with it: `tinybase/team/notes`.
`namespace/id:` and 64 hex digits name an object by its id.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

DEFAULT_NAMESPACE: Final = "tinybase"


@dataclass(frozen=True, slots=True)
class RoomName:
    """An object, as it was named."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Its address below `/admin/v1`."""
        return f"{namespace_path(self.namespace)}/objects/{segment(self.name)}"

    def below(self, *segments: str) -> str:
        """The address of something of it; each segment is quoted."""
        return "/".join([self.path, *map(segment, segments)])


def parse_room(text: str) -> RoomName:
    """Read what names an object.

    Raises:
        ValueError: It has no name.
    """
    namespace, slash, name = text.partition("/")
    if not slash:
        namespace, name = DEFAULT_NAMESPACE, text
    if not namespace or not name:
        raise ValueError("say namespace/name, or a plain name of a TinyBase room")
    return RoomName(namespace, name)


def namespace_path(namespace: str) -> str:
    """The address of a namespace below `/admin/v1`."""
    return f"/namespaces/{segment(namespace)}"


def segment(text: str) -> str:
    """One segment of a path: a slash in it is `%2F`, and dots alone cannot climb."""
    quoted = quote(text, safe="", errors="surrogatepass")
    return quoted.replace(".", "%2E") if set(text) == {"."} else quoted
