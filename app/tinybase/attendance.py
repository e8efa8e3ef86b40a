"""Who is in the room, told to the hooks of a subclass that wants to know.

A client is told about once when it comes and once when it goes, also when the object slept in
between: the connection itself carries the mark that it was counted. Of several that went while it
slept the last one told about need not be the last that went.
"""

from typing import Final, Protocol

from ..sdk.connection import Connection
from ..sdk.context import Context

_COUNTED: Final = "tinybase:counted"


class Watcher(Protocol):
    """The hooks of a subclass."""

    def on_path_id(self, path_id: str, change: int) -> None:
        """See `TinyBaseRoom.on_path_id`."""
        ...

    def on_client_id(self, path_id: str, client_id: str, change: int) -> None:
        """See `TinyBaseRoom.on_client_id`."""
        ...


class Attendance:
    """The clients by their ids.

    Args:
        ctx: Knows who is connected already.
        watcher: Who is told, or None.
    """

    __slots__ = ("_here", "_path_id", "_path_is_told", "_watcher")

    def __init__(self, ctx: Context, watcher: Watcher | None) -> None:
        self._here: dict[str, Connection] = {each.id: each for each in ctx.connections()}
        self._watcher = watcher
        self._path_id = ctx.id.name or ""
        self._path_is_told = True  # or nobody was ever here, and somebody comes first

    def __len__(self) -> int:
        return len(self._here)

    def get(self, client_id: str) -> Connection | None:
        """The connection of a client that is here."""
        return self._here.get(client_id)

    def ids(self) -> list[str]:
        """The clients that are here, in the order in which they came."""
        return list(self._here)

    def came(self, connection: Connection) -> None:
        """Take a client in."""
        client_id = connection.id
        first = not self._here or (len(self._here) == 1 and client_id in self._here)
        self._here[client_id] = connection
        if self._watcher is not None:
            if first:
                self._path_is_told = True
                self._watcher.on_path_id(self._path_id, 1)
            self._watcher.on_client_id(self._path_id, client_id, 1)
            connection.tag(_COUNTED)

    def went(self, connection: Connection) -> bool:
        """Let a client go; returns whether nobody of its id is left, so all of it can go."""
        client_id = connection.id
        if self._here.get(client_id) is connection:
            del self._here[client_id]
        if self._watcher is not None and _COUNTED in connection.tags:
            self._watcher.on_client_id(self._path_id, client_id, -1)
            if not self._here and self._path_is_told:
                self._path_is_told = False
                self._watcher.on_path_id(self._path_id, -1)
        return client_id not in self._here
