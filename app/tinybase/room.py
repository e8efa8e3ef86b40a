"""TinyBase sync as an object class, on the public sdk alone.

An unmodified TinyBase client that opens a WebSocket to a room's path finds its peers there, and
a replica called `S` that keeps the content in the object's storage. Frames are checked (the first
gate), merged, stored and passed on, in one plain function call a frame; the engine's output gate
sees to it that nobody hears of a change before it is committed (architecture, section 8).
"""

import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, ClassVar

from ..sdk import Unsupported
from ..sdk.connection import Connection
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request
from ..sdk.multiplexing import SocketMultiplexer
from .asking import AsksClients
from .assemblers import Assemblers
from .attendance import Attendance
from .bodies import CONTENT_DIFF
from .cell_frames import take_cell
from .clock import Clock, random_writer
from .content_moves import ContentMoves
from .edits import Edited
from .guarding import GuardedContent
from .large import LARGE_CHARS, LargeFrames, load_bit_by_bit, store, takes_long
from .layout import MARK
from .multiplex import SUBPROTOCOL, Multiplexer
from .newcomers import SPEAKS_FOR_ITSELF, Newcomers
from .options import RoomOptions
from .pacing import PacedSends
from .read_only import BRINGS_CHANGES, ReadOnlySynchronizer
from .refusals import OVERFLOW_SOCKET, Refusal
from .replica import Replica
from .restoring import RestoredContent
from .resuming import ResumedClients
from .returning import Returning
from .routing import Recipients, SyncMode, route
from .synchronizer import PACED_OVER_BYTES, Outcome, Synchronizer
from .timetable import Timetable
from .voice import Voice, random_text
from .wire import EVERYBODY, Fragment, Message, parse_frame

_ROW_ID_CHARS = 16


class TinyBaseRoom(
    GuardedContent,
    RestoredContent,
    ContentMoves,
    LargeFrames,
    AsksClients,
    ResumedClients,
    DurableObject,
):
    """One TinyBase room. Subclass it to seed content, to watch clients, or to take part.

    The hooks of a subclass are in `RoomHooks`, the getters and setters in `StoreReads` and
    `StoreAccess`. Alarms, requests and methods to be called work as in any object. Keys of its
    own that a subclass puts into `ctx.storage` must not begin with `~`.

    Options of the namespace (`?sync=relay&fragment_size=60000`): see `options.RoomOptions`.
    Durability `none` makes the room a relay without a replica.
    """

    multiplexers: ClassVar[Mapping[str, Callable[[], SocketMultiplexer]]] = {
        SUBPROTOCOL: Multiplexer
    }
    guards_storage: ClassVar[bool] = True
    overflow_reason: ClassVar[str] = OVERFLOW_SOCKET
    resumes: ClassVar[bool] = True

    @classmethod
    def check_settings(cls, settings: Mapping[str, str]) -> str | None:
        """See `DurableObject.check_settings`."""
        hidden = sorted(cls._names_hidden_from(TinyBaseRoom))
        if hidden:
            return f"{cls.__name__}: {', '.join(hidden)} would hide what the room needs; rename it"
        return super().check_settings(settings)

    async def on_start(self) -> None:
        """Load the replica."""
        ctx = self.ctx
        self._options = RoomOptions.parse(ctx.settings)
        watches = self._overrides("on_path_id", "on_client_id")
        self._clients = Attendance(ctx, self if watches else None)
        self._timetable = Timetable(ctx)
        self._assemblers = Assemblers(
            self._timetable, timeout_seconds=self._options.request_timeout_seconds
        )
        self._overheard = self._overrides("on_sync_message")
        self._listens = self._overrides("on_changes")
        self._listening = self._overheard or self._listens or ctx.frozen
        self._voice = Voice(
            ctx,
            self._clients,
            fragment_size=self._options.fragment_size,
            overhear=self.on_sync_message if self._overheard else None,
        )
        self._paced = PacedSends(ctx, self._clients, self._voice)
        # Held weakly, or the content of a room that is left would wait for the collector.
        me = weakref.proxy(self)
        self._newcomers = Newcomers(ctx, greet=lambda who, wait: me._greet(who, wait))  # noqa: PLW0108, SLF001 - a bound method is no weak one
        self._returning: Returning | None = None
        self._replica: Replica | None = None
        self._sync: Synchronizer | None = None
        self._mode: SyncMode | None = None
        self._begun = len(self._clients) > 0
        if ctx.durability != "none":
            await self._load()
        self._begin_guarding()
        if self._begun:
            self._recall_returning()
        if ctx.after_fault and self._begun:
            # Questions and large joins under way went with the former instance: compare again.
            await self._ask_everybody()

    def on_connect(self, connection: Connection, request: Request) -> Awaitable[None] | None:
        """A client has come. Returns None: a subclass that calls this needs to await nothing."""
        begun, self._begun = self._begun, True
        self._clients.came(connection)
        self._admit(connection)
        if request.resumed:
            self._resume(connection)
            return None
        if self._mode is SyncMode.HUB:
            self._newcomers.came(connection)
        elif not begun:
            self._ask_who_is_there()
        return None

    def on_close(
        self,
        connection: Connection,
        code: int,
        reason: str,
        clean: bool,  # noqa: FBT001 - the sdk's order of arguments
    ) -> Awaitable[None] | None:
        """A client has gone."""
        del code, reason, clean
        if not self._clients.went(connection):
            return None
        self._assemblers.forget(connection.id)
        self._newcomers.forget(connection.id)
        self._paced.forget(connection.id)
        self._disregard(connection)
        if self._returning is not None:
            self._returning.forget(connection.id)
        if self._sync is not None:
            self._sync.left(connection.id)
        return None

    def on_message(
        self, connection: Connection, message: str | bytes
    ) -> Coroutine[Any, Any, None] | None:
        """A frame has come: check it, let the replica see it, pass it on."""
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        if len(text) > LARGE_CHARS:
            return self._take_large(connection, text)
        returning = self._returning
        short = not (self._attentive or (returning is not None and returning.clients))
        if (short or (self._guards and self._is_plain_writer(connection))) and take_cell(
            self.ctx, self._replica, connection, text
        ):
            return None
        try:
            frame = parse_frame(text)
            if type(frame) is not Fragment:
                return self._take(connection, frame, None)  # type: ignore[arg-type]  # the only other type
            if self._assemblers.retained_bytes(connection.id) > LARGE_CHARS:
                return self._take_fragment_of_large(connection, frame)
            assembled = self._assemblers.add(connection.id, frame, self.ctx.monotonic())
            if assembled is not None:
                return self._take(connection, assembled.message, assembled.originals)
        except Refusal as refusal:
            connection.close(refusal.code, refusal.reason)
        return None

    # -- messages ------------------------------------------------------------------------------

    def _take(
        self, connection: Connection, message: Message, originals: tuple[str, ...] | None
    ) -> Coroutine[Any, Any, None] | None:
        """Let the replica have the message, then pass on its frame, or the fragments it came in."""
        if self._hears(connection, message):
            if takes_long(self._replica, message):
                return self._take_beside(connection, message, originals)
            self._tell_replica(connection, message)
        self._pass_on(connection, message, originals)
        return None

    def _hears(self, connection: Connection, message: Message) -> bool:
        """Whether the message is for the replica; note that its sender speaks for itself."""
        kind = message.kind
        if self._sync is None or not route(self._mode, message.address, kind).replica:
            return False
        if kind in SPEAKS_FOR_ITSELF:
            self._newcomers.heard(connection.id, kind)
        returning = self._returning
        return returning is None or not (returning.clients and returning.takes(connection, message))

    def _pass_on(
        self, connection: Connection, message: Message, originals: tuple[str, ...] | None
    ) -> None:
        if self.ctx.frozen and message.kind in BRINGS_CHANGES:
            return
        if self._guards and (passable := self._passable(connection, message)) is not message:
            if passable is None:
                return
            message, originals = passable, None
        recipients = route(self._mode, message.address, message.kind).recipients
        if recipients is Recipients.NOBODY:
            return
        sender = connection.id
        for remainder in (message.remainder,) if originals is None else originals:
            if self._overheard:
                self.on_sync_message(sender, message.address, remainder)
            text = f"{sender}\n{remainder}"
            if recipients is Recipients.OTHERS:
                self.ctx.broadcast(text, exclude=connection)
            elif (target := self._clients.get(message.address)) and target.open:
                target.send(text)

    def _tell_replica(self, connection: Connection, message: Message) -> None:
        sync = self._sync
        if sync is None:
            return
        ctx = self.ctx
        is_change = message.kind == CONTENT_DIFF
        now = 0.0 if is_change else ctx.monotonic()
        outcome = sync.handle(connection.id, message, now_ms=ctx.now(), now=now)
        store(ctx.storage, outcome.entries)  # first: the gate holds what is said after a write
        if outcome.changes is not None:
            self._react(outcome.changes)
        if outcome.screened is not None:
            self._settle(connection, outcome.screened)
            self._say(outcome)
        elif not is_change:
            self._say(outcome)

    def _say(self, outcome: Outcome) -> None:
        """Send what the replica says, and look at its deadlines again."""
        for send in outcome.sends:
            self._voice.say(send)
        if outcome.large or outcome.paced:
            self._say_much(outcome)
        if outcome.compared and self._returning is not None:
            self._returning.compared(outcome.compared)
        if self._sync is not None and (deadline := self._sync.next_deadline()) is not None:
            self._timetable.wake_at(deadline, self._expire_questions)

    # -- the replica ---------------------------------------------------------------------------

    async def _load(self) -> None:
        random = partial(random_text, self.ctx)
        replica = Replica(Clock(random_writer(random)))
        found = await load_bit_by_bit(self.ctx, replica, self.ctx.storage.stream(prefix=MARK))
        self._replica, self._mode = replica, self._options.sync
        self._sync = (ReadOnlySynchronizer if self.ctx.frozen else Synchronizer)(
            replica,
            mode=self._mode,
            random=random,
            request_timeout_seconds=self._options.request_timeout_seconds,
            tells=self._listens,
            crowded=self._paced.crowded,
        )
        if not found and not self.ctx.frozen:
            self._reacting = True
            seeding = self.seed()
            if seeding is not None:
                await seeding
            self._reacting = False

    def _content(self) -> Replica:
        if self._replica is None:
            raise Unsupported("a room with durability=none has no content of its own")
        return self._replica

    def _now_ms(self) -> int:
        return self.ctx.now()

    def _new_row_id(self) -> str:
        return random_text(self.ctx, _ROW_ID_CHARS)

    def _edited(self, edited: Edited) -> None:
        store(self.ctx.storage, edited.entries)
        if edited.body is None or self._sync is None:
            return
        if len(edited.body) > PACED_OVER_BYTES:
            self.ctx.call_later(0.0, self._announce)
        else:
            self._voice.say(self._sync.changed(edited.body))

    async def _announce(self) -> None:
        """What was edited is too much for a frame: let every client ask for it."""
        if (sync := self._sync) is not None:
            self._say(await self._beside_if_large(partial(sync.announce_to, EVERYBODY)))
