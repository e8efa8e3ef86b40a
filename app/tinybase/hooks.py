"""What a subclass of `TinyBaseRoom` may override, and what it may ask about its clients.

The hooks here are plain functions: they run in the middle of an event, between the merging of a
message and its passing on, and everything they do belongs to that event. What needs awaiting is
planned with `self.ctx.call_later(0.0, ...)`, or belongs into a hook of the platform.
"""

import inspect
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import ClassVar

from ..sdk import ClientRole
from ..sdk.connection import Connection
from ..sdk.context import Context
from .attendance import Attendance
from .news import Changes
from .options import RoomOptions
from .routing import SyncMode
from .verdicts import ALLOW, Allow, ProposedChange, Refuse, RefusedChange, Verdict

_RULES = ("authorize_change", "authorize_row", "authorize_table")
_PLAIN_HOOKS = (
    *_RULES,
    *("may_write", "on_changes", "on_client_id", "on_path_id", "on_refused", "on_sync_message"),
)


def _private(cls: type) -> Iterator[str]:
    """The private names of a class, its attributes included."""
    for name in [*vars(cls), *vars(cls).get("__annotations__", ())]:
        if name.startswith("_") and not name.startswith("_abc_") and not name.endswith("__"):
            yield name


class RoomHooks:
    """See the module."""

    ctx: Context
    hook_names: ClassVar[frozenset[str]] = frozenset({"may_write", "seed", *_RULES})
    interleave: ClassVar[bool]
    wakes_on_close: ClassVar[bool] = False
    _clients: Attendance

    def seed(self) -> Awaitable[None] | None:
        """Fill a room that never held anything: set content here, as in any other hook.

        `on_changes` is not told of it.
        """

    def on_changes(self, changes: Changes) -> None:
        """Content has changed: react to it, by counting, deriving, correcting.

        It is called once for each message of a client, each pull from one that came back, and
        each transaction in Python, when that is merged and nothing of it was passed on. What is
        edited here is stored with the change itself, goes out before it as one message, and is
        not told to this hook again. So a client that is sent a correction never shows what was
        corrected. When this raises, the change is undone too, and its sender's socket is closed.

        A class that has none pays nothing for it.
        """

    def may_write(self, connection: Connection) -> bool:
        """Whether a client may change anything: asked when it comes, and when the room wakes.

        As it stands here, by the connection's role. What a client that may only read changes is
        refused, and the client goes back to what the room has; others never see it.
        """
        return connection.role is not ClientRole.READ

    def authorize_table(self, connection: Connection, table_id: str) -> Allow | Refuse:
        """Whether a client may change anything of a table: asked once for each in a message.

        This, `authorize_row` and `authorize_change` are the write rules. They are asked before
        anything of a message is merged, or of what a client brings when it comes back, and only
        about what would be taken; whatever Python changes needs no leave. They decide, and
        neither edit nor send nor store: of a large message they run beside the event loop, in a
        thread, while nothing else of the room does. A class that has none pays nothing for them.
        """
        del connection, table_id
        return ALLOW

    def authorize_row(self, connection: Connection, table_id: str, row_id: str) -> Allow | Refuse:
        """Whether a client may change anything of a row: asked once for each in a message."""
        del connection, table_id, row_id
        return ALLOW

    def authorize_change(self, connection: Connection, change: ProposedChange) -> Verdict:
        """What becomes of one cell or value: `Allow()`, `Refuse(reason)` or `Amend(value)`.

        A value that stays the same under a newer stamp is not asked about.
        """
        del connection, change
        return ALLOW

    def on_refused(self, connection: Connection, refused: Sequence[RefusedChange]) -> None:
        """Changes of a client were refused: once for each message, when the rest is merged.

        What is edited here belongs to the same event.
        """

    def on_path_id(self, path_id: str, change: int) -> None:
        """The first client has come (+1) or the last has gone (-1)."""

    def on_client_id(self, path_id: str, client_id: str, change: int) -> None:
        """A client has come (+1) or gone (-1)."""

    def on_sync_message(self, from_client_id: str, to_client_id: str, remainder: str) -> None:
        """A message is about to be passed on, the replica's own (from `S`) included."""

    def get_path_id(self) -> str:
        """The room's name, as it stands in the URL of its clients."""
        return self.ctx.id.name or ""

    def get_client_ids(self) -> list[str]:
        """The ids of the clients that are here, in the order in which they came."""
        return self._clients.ids()

    def get_client(self, client_id: str) -> Connection | None:
        """The connection of a client that is here: its tags, its attachment, `close`."""
        return self._clients.get(client_id)

    @classmethod
    def check_settings(cls, settings: Mapping[str, str]) -> str | None:
        """See `DurableObject.check_settings`."""
        if cls.interleave:
            return f"{cls.__name__}: a TinyBase room runs one event at a time (interleave = False)"
        for name in _PLAIN_HOOKS:
            if inspect.iscoroutinefunction(getattr(cls, name)):
                return f"{cls.__name__}.{name} must be a plain function (def, not async def)"
        try:
            options = RoomOptions.parse(settings)
        except ValueError as error:
            return str(error)
        if options.sync is SyncMode.RELAY and cls._overrides(*_RULES):
            return f"{cls.__name__}: clients of a relay compare past its rules (use sync=hub)"
        return None

    @classmethod
    def _names_hidden_from(cls, room: type["RoomHooks"]) -> set[str]:
        """The private names of `room` that a subclass of it has taken for something else."""
        subclasses = [each for each in cls.__mro__ if each not in room.__mro__]
        taken = {name for each in subclasses for name in vars(each) if name.startswith("_")}
        own = {name for each in room.__mro__ if each is not object for name in _private(each)}
        return taken & own

    @classmethod
    def _overrides(cls, *names: str) -> bool:
        """Whether the class has one of these hooks of its own."""
        return any(getattr(cls, name) is not getattr(RoomHooks, name) for name in names)

    def __init_subclass__(cls) -> None:
        """A class that watches its clients is woken to hear of them, unless it says otherwise."""
        super().__init_subclass__()
        if cls._overrides("on_path_id", "on_client_id") and "wakes_on_close" not in vars(cls):
            cls.wakes_on_close = True
