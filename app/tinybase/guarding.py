"""The half of `TinyBaseRoom` that keeps clients from changing what they may not change.

A client that may only read, and every client of a class with write rules, is restricted: what it
proposes is screened before it is merged, and passed on only as far as it was taken. It speaks to
the replica alone; what it would bring to one other client past the replica is dropped. Rooms in
which nobody is restricted never come this way.
"""

from abc import abstractmethod
from typing import ClassVar

from ..sdk import Unsupported
from ..sdk.connection import Connection
from ..sdk.context import Context
from ..sdk.json import dump_json
from .attendance import Attendance
from .bodies import CONTENT_DIFF, CONTENT_HASHES, RESPONSE
from .corrections import TOO_MUCH, Corrections, ahead, pause_after
from .edits import Edited, Edits
from .hooks import RoomHooks
from .replica import Replica
from .returning import Returning
from .screening import Screened, changes_of, screened
from .synchronizer import Send, Synchronizer
from .tally import TALLY
from .verdicts import ALLOW, READ_ONLY, ProposedChange, Refuse, Verdict
from .voice import Voice, random_text
from .wire import EVERYBODY, Message, message_remainder

_BRINGS: frozenset[int] = frozenset({CONTENT_DIFF, CONTENT_HASHES, RESPONSE})
"""What brings changes, or makes others ask for them."""

_TRANSACTION_CHARS = 11


class _Reader:
    """The judge of a client that may only read."""

    __slots__ = ("tells",)
    everything = READ_ONLY
    whole_messages = False

    def __init__(self, *, tells: bool) -> None:
        self.tells = tells

    def table(self, table_id: str) -> Refuse | None:
        """See `screening.Judge`."""
        del table_id
        return READ_ONLY

    def row(self, table_id: str, row_id: str) -> Refuse | None:
        """See `screening.Judge`."""
        del table_id, row_id
        return READ_ONLY

    def change(self, change: ProposedChange) -> Verdict:
        """See `screening.Judge`."""
        del change
        return READ_ONLY


class _Rules:
    """The judge of one client of a class with write rules."""

    __slots__ = ("_changes", "_connection", "_room", "_rows", "_tables", "tells", "whole_messages")
    everything = None

    def __init__(self, room: "GuardedContent", connection: Connection) -> None:
        self._room = room
        self._connection = connection
        overrides = room._overrides  # noqa: SLF001 - this is a half of the room
        self._tables = overrides("authorize_table")
        self._rows = overrides("authorize_row")
        self._changes = overrides("authorize_change")
        self.tells = overrides("on_refused")
        self.whole_messages = room.refuses_whole_messages

    def table(self, table_id: str) -> Refuse | None:
        """See `screening.Judge`."""
        if not self._tables:
            return None
        return _refusal(self._room.authorize_table(self._connection, table_id))

    def row(self, table_id: str, row_id: str) -> Refuse | None:
        """See `screening.Judge`."""
        if not self._rows:
            return None
        return _refusal(self._room.authorize_row(self._connection, table_id, row_id))

    def change(self, change: ProposedChange) -> Verdict:
        """See `screening.Judge`."""
        return self._room.authorize_change(self._connection, change) if self._changes else ALLOW


class GuardedContent(RoomHooks):
    """See the module.

    Attributes:
        refuses_whole_messages: Whether a message (a transaction of the client), or what a client
            brings when it comes back, is refused as a whole when a rule refuses anything of it.
            Else the rest is taken.
    """

    ctx: Context
    refuses_whole_messages: ClassVar[bool] = False
    _clients: Attendance
    _replica: Replica | None
    _returning: Returning | None
    _sync: Synchronizer | None
    _voice: Voice
    _guards = False
    """Whether anybody is restricted."""
    _listening = False
    """Whether the class hears of every message, or the room takes none."""

    @abstractmethod
    def _edited(self, edited: Edited) -> None:
        """Store and broadcast what a transaction did."""

    def roles_changed(self) -> None:
        """Look again at what each client may do: call it when `may_write` would answer anew."""
        self._readers = {each.id for each in self.ctx.connections() if not self.may_write(each)}
        self._look()

    def _look(self) -> None:
        """Take the short way where nobody is restricted."""
        self._guards = bool(self._ruled or self._readers)
        self._attentive = self._listening or self._guards
        if self._sync is not None:
            self._sync.screen = self._screen if self._guards else None

    def _begin_guarding(self) -> None:
        self._ruled = self._overrides("authorize_table", "authorize_row", "authorize_change")
        if self._ruled and self._replica is None:
            raise Unsupported("write rules need a content of the room's own (not durability=none)")
        self._corrections = Corrections()
        self._correcting = False
        self._screened: Screened | None = None
        self.roles_changed()

    def _admit(self, connection: Connection) -> None:
        """Take note of what a client that has come may do."""
        if not self.may_write(connection):
            self._readers.add(connection.id)
            self._look()

    def _disregard(self, connection: Connection) -> None:
        """Forget a client that has gone."""
        if self._guards:
            self._corrections.forget(connection.id)
            self._readers.discard(connection.id)
            self._look()

    def _writes_freely(self, connection: Connection) -> bool:
        """Whether a client of a guarded room may be heard as if nobody were restricted."""
        return not self._ruled and connection.id not in self._readers

    def _is_plain_writer(self, connection: Connection) -> bool:
        """Whether only others are restricted, and nothing more is to be done with its messages."""
        returning = self._returning
        if self._listening or (returning is not None and returning.clients):
            return False
        return self._writes_freely(connection)

    def _screen(self, client: str, changes: object) -> Screened | None:
        """Sort what a client proposes; None when it is not restricted."""
        replica, connection = self._replica, self._clients.get(client)
        if replica is None:
            return None
        if connection is None or client in self._readers:
            return screened(replica, _Reader(tells=self._overrides("on_refused")), changes)
        return screened(replica, _Rules(self, connection), changes) if self._ruled else None

    def _passable(self, connection: Connection, message: Message) -> Message | None:
        """What may be passed on of a message: it itself, what was taken of it, or nothing."""
        kept, self._screened = self._screened, None
        if message.kind not in _BRINGS or self._writes_freely(connection):
            return message
        if message.kind != CONTENT_DIFF or message.address != EVERYBODY:
            return None
        if kept is None or not kept.taken or not kept.kept:
            return None
        if kept.whole:
            return message
        body = dump_json(changes_of(kept.kept))
        remainder = message_remainder(message.request_id, CONTENT_DIFF, body)
        return message._replace(remainder=remainder)

    def _settle(self, connection: Connection, result: Screened) -> None:
        """Do what is to be done about what was refused; what was taken is stored already."""
        self._screened = result
        TALLY.refused += result.count
        if result.taken:
            TALLY.amended += len(result.amended)
        if result.refused:
            self._take_back(connection, result)
        if result.told:
            self.on_refused(connection, tuple(result.told))

    def _take_back(self, connection: Connection, result: Screened) -> None:
        replica = self._replica
        if replica is None:
            return
        alone, stamps = ahead(replica, result.refused, self.ctx.now(), result.unseen)
        if not self._corrections.note(replica, connection.id, stamps):
            TALLY.sent_away += 1
            self.ctx.log("client_sent_away", connection=connection.id, refused=result.count)
            connection.close(*TOO_MUCH)
            return
        if alone:
            body = dump_json(changes_of(alone))
            transaction = random_text(self.ctx, _TRANSACTION_CHARS)
            remainder = message_remainder(transaction, CONTENT_DIFF, body)
            self._voice.say(Send(connection.id, remainder))
        if not self._correcting:
            self._correct()

    def _correct(self) -> None:
        """Make the corrections that are due, and come back for the others."""
        self._correcting = False
        replica, now_ms = self._replica, self.ctx.now()
        if replica is None or self.ctx.frozen:
            return
        leaves = self._corrections.lot(replica, now_ms)
        size = 0
        if leaves:
            TALLY.corrected += len(leaves)
            edits = Edits(replica, now_ms)
            edits.write(leaves)
            edited = edits.finish()
            size = len(edited.body or b"")
            self._edited(edited)
        seconds = self._corrections.seconds_to_next(now_ms)
        if seconds is not None or leaves:
            self._correcting = True
            self.ctx.call_later(max(pause_after(size), seconds or 0.0), self._correct)


def _refusal(verdict: Verdict) -> Refuse | None:
    return verdict if isinstance(verdict, Refuse) else None
