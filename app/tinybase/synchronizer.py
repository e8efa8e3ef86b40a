"""The replica as a peer of the room's clients (sections 5.8 and 10.2).

It answers questions, merges changes, and pulls from a client that announces other hashes: one
pull a client, restarted by a newer announcement, tried again with back-off when it fails while
the client stays. In a hub, what a pull brought is told to the other clients.

Input are messages and the passing of time (`now` in monotonic seconds, `now_ms` the room's wall
time); output are remainders to send from `S` and entries to store. The sends of an outcome are
in order, and all of them come after its entries are stored.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from ..sdk.json import dump_json
from .answers import Answer, answer
from .bodies import (
    CONTENT_DIFF,
    CONTENT_HASHES,
    GET_CONTENT_HASHES,
    RESPONSE,
)
from .changes import PIECE_BYTES, changes_in_pieces, rows_of
from .clock import RandomText
from .former import Former
from .layout import Entry
from .news import Changes, changes_since
from .parted import Remainder, parted_remainder
from .pull import Pull, Question
from .questions import Pending, Questions
from .refusals import Malformed
from .replica import Replica
from .routing import SyncMode
from .screening import Screened, changes_of
from .wire import EVERYBODY, Message, message_remainder

PACED_OVER_BYTES: Final = 4 << 20
"""An answer with more missing content than this is sent in pieces before."""

LARGE_BYTES: Final = 1 << 16
"""An answer with more missing content than this is large: it is sent in parts that answers share,
and while others have their turns it comes in pieces as well."""

PATIENT_SECONDS: Final = 5.0
"""How long a client that is compared with has for an answer."""

_TRANSACTION_CHARS = 11
_QUESTION_CHARS = 4
_MARKED = 3


class Send(NamedTuple):
    """A remainder to send from `S`.

    Attributes:
        recipient: A client's id, or empty for every client.
        remainder: What follows the address.
        exclude: With an empty recipient, the one client that does not get it.
    """

    recipient: str
    remainder: Remainder
    exclude: str = ""


class Paced(NamedTuple):
    """Many remainders for one client, each to be taken when the one before has gone out.

    Attributes:
        recipient: The client's id.
        pieces: What it lacks, as changes.
        answer: The answer to its question; what it lacks has to come first.
        announcement: Makes what has to come last, what the replica has: the asker may have given
            up meanwhile and ignore the answer, and this makes it compare again.
    """

    recipient: str
    pieces: Iterator[Remainder]
    answer: Remainder
    announcement: Callable[[], Remainder]


class Outcome(NamedTuple):
    """What is to be done; a tuple, because one is made for every message."""

    entries: Sequence[Entry] = ()
    sends: Sequence[Send] = ()
    paced: Sequence[Paced] = ()
    compared: str = ""
    """The client that a pull has just succeeded from: the replica has what it had."""
    changes: Changes | None = None
    """What a client changed, for whoever asked to be told."""
    large: bool = False
    """Whether a large answer is among what is sent."""
    screened: Screened | None = None
    """What became of what a restricted client proposed."""


_NOTHING: Final = Outcome()


def _never() -> bool:
    return False


class Synchronizer:
    """See the module.

    Args:
        replica: The room's.
        mode: Whether the others are told what a pull brought.
        random: Gives characters for ids.
        request_timeout_seconds: How long a client has for an answer.
        tells: Whether outcomes carry the changes that clients made.
        crowded: Whether so much waits to be sent that a client may give up waiting for a large
            answer. What comes in pieces it takes whenever it comes.
    """

    __slots__ = (
        "_crowded",
        "_mode",
        "_patient",
        "_questions",
        "_random",
        "_replica",
        "_tells",
        "_timeout",
        "screen",
    )

    def __init__(
        self,
        replica: Replica,
        *,
        mode: SyncMode,
        random: RandomText,
        request_timeout_seconds: float,
        tells: bool = False,
        crowded: Callable[[], bool] = _never,
    ) -> None:
        self._replica = replica
        self._mode = mode
        self._random = random
        self._timeout = request_timeout_seconds
        self._tells = tells
        self._crowded = crowded
        self._questions = Questions()
        self._patient: dict[str, None] = {}
        self.screen: Callable[[str, Any], Screened | None] | None = None
        """Sorts what a client proposes; None as long as nobody is restricted."""

    def start(self, now: float, *, patience_seconds: float | None = None) -> Outcome:
        """Return the startup broadcasts: who has what, and what the replica has.

        Clients that stayed connected over a restart synchronise again because of them. With as
        many questions open as there may be, the replica only says what it has. Answers may take
        the request timeout, or as long as is told.
        """
        announcement = Send(EVERYBODY, self._announcement())
        if self._questions.full:
            return Outcome(sends=[announcement])
        transaction = self._random(_TRANSACTION_CHARS)
        request_id = self._question_id(transaction)
        deadline = now + (self._timeout if patience_seconds is None else patience_seconds)
        self._questions.ask(
            request_id,
            Pending(client="", transaction=transaction, pull=None, deadline=deadline),
        )
        question = message_remainder(request_id, GET_CONTENT_HASHES, dump_json(""))
        return Outcome(sends=[Send(EVERYBODY, question), announcement])

    def compare(self, client: str, now: float) -> Outcome:
        """Ask a client for its hashes and pull what differs, unless a pull is under way.

        Until that has succeeded the client has more time for its answers: many are compared with
        at once when a worker has died, and much depends on each.
        """
        if self._questions.asks(client):
            return _NOTHING
        self._patient[client] = None
        return self._pull(client, self._random(_TRANSACTION_CHARS), None, now)

    def announce_to(self, client: str) -> Outcome:
        """Tell a client, or everybody, what the replica has, so that it asks for what it lacks."""
        return Outcome(sends=(Send(client, self._announcement()),))

    def handle(self, sender: str, message: Message, *, now_ms: int, now: float) -> Outcome:
        """Take a message that was routed to the replica."""
        kind = message.kind
        if kind == CONTENT_DIFF:
            return self._merge(sender, message, now_ms)
        if kind == RESPONSE:
            return self._answered(sender, message, now_ms=now_ms, now=now)
        if kind == CONTENT_HASHES:
            transaction = message.request_id or self._random(_TRANSACTION_CHARS)
            return self._pull(sender, transaction, message.body, now)
        if kind == GET_CONTENT_HASHES:
            return self._respond(sender, message, dump_json(self._replica.content_hashes()))
        return self._answer(sender, message)

    def changed(self, body: bytes) -> Send:
        """Return the broadcast of changes that were made on the server."""
        transaction = self._random(_TRANSACTION_CHARS)
        return Send(EVERYBODY, message_remainder(transaction, CONTENT_DIFF, body))

    def left(self, client: str) -> None:
        """A client is gone: its pull is over."""
        self._questions.forget(client)
        self._patient.pop(client, None)

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        return self._questions.next_deadline()

    def expire(self, now: float) -> Outcome:
        """Give up what was not answered in time, and try again what is due."""
        late = self._questions.expire(now)
        for client in late.unanswered:
            self._questions.retry(client, now)
        sends: list[Send] = []
        for client in late.due:
            transaction = self._random(_TRANSACTION_CHARS)
            sends += self._pull(client, transaction, None, now).sends
        return Outcome(sends=sends)

    def _merge(self, sender: str, message: Message, now_ms: int) -> Outcome:
        if len(message.body) < _MARKED:
            return _NOTHING
        if self.screen is not None and (result := self.screen(sender, message.body)) is not None:
            return self._take_screened(sender, result, now_ms)
        former = Former() if self._tells else None
        applied = self._replica.apply(message.body, now_ms, newest=message.newest, former=former)
        if applied is None or not applied.entries:
            return _NOTHING
        if former is None:
            return Outcome(applied.entries)
        return Outcome(applied.entries, changes=self._told(sender, former))

    def _told(self, client: str, former: Former) -> Changes | None:
        """What a client changed that can be seen, if somebody wants to know."""
        return changes_since(self._replica, former, client) if self._tells else None

    def _pull(
        self, client: str, transaction: str, theirs: list[float] | None, now: float
    ) -> Outcome:
        """Start a pull in place of the client's earlier one."""
        self._questions.withdraw(client)
        pull = Pull(self._replica, theirs)
        question = pull.begin()
        if question is None:
            self._succeeded(client)
            return Outcome(compared=client)
        return self._ask(client, transaction, pull, question, now)

    def _ask(
        self, client: str, transaction: str, pull: Pull, question: Question, now: float
    ) -> Outcome:
        if self._questions.full:
            self._questions.postpone(client, now)
            return _NOTHING
        request_id = self._question_id(transaction)
        timeout = max(self._timeout, PATIENT_SECONDS) if client in self._patient else self._timeout
        pending = Pending(client=client, transaction=transaction, pull=pull, deadline=now + timeout)
        self._questions.ask(request_id, pending)
        remainder = message_remainder(request_id, question.kind, question.body)
        return Outcome(sends=(Send(client, remainder),))

    def _answered(self, sender: str, message: Message, *, now_ms: int, now: float) -> Outcome:
        pending = self._questions.answered(message.request_id, sender)
        if pending is None:
            return _NOTHING
        pull = pending.pull
        if pull is None:  # the broadcast question: the answer is as good as an announcement
            pull = Pull(self._replica, None)
            pull.begin()
        try:
            question = pull.answered(message.body)
        except Malformed:
            self._questions.retry(sender, now)
            return _NOTHING
        if question is not None:
            return self._ask(sender, pending.transaction, pull, question, now)
        self._succeeded(sender)
        return self._pulled(sender, pull.changes(), now_ms)

    def _pulled(self, client: str, changes: list[Any], now_ms: int) -> Outcome:
        """Merge what a pull brought, and in a hub tell it to the others."""
        if self.screen is not None and (result := self.screen(client, changes)) is not None:
            return self._take_screened(client, result, now_ms, pulled=True)
        former = Former()
        applied = self._replica.apply(changes, now_ms, former=former)
        if applied is None:
            return Outcome(compared=client)
        sends: list[Send] = []
        if self._mode is SyncMode.HUB:
            sends = self._news(former, exclude=client)
        return Outcome(applied.entries, sends, compared=client, changes=self._told(client, former))

    def _take_screened(
        self, client: str, result: Screened, now_ms: int, *, pulled: bool = False
    ) -> Outcome:
        """Merge what is taken of what a restricted client proposed.

        Everybody is told what was amended, its author too; of what a pull brought the others are
        told, of what a message brought they have the message.
        """
        compared = client if pulled else ""
        clock = self._replica.clock
        if not (result.kept or result.amended) or not clock.accepts(result.newest(), now_ms):
            return Outcome(compared=compared, screened=result)
        former, amended = Former(), Former()
        self._replica.apply(changes_of(result.kept), now_ms, former=former)
        sends = self._news(former, exclude=client) if pulled else []
        amendments = changes_of(result.amendments(clock, now_ms))
        self._replica.apply(amendments, now_ms, former=amended)
        if amended:
            sends += self._news(amended)
            former.absorb(amended)
        result.taken = True
        changes = self._told(client, former)
        entries = self._replica.entries_since(former)
        return Outcome(entries, sends, compared=compared, changes=changes, screened=result)

    def _news(self, former: Former, exclude: str = "") -> list[Send]:
        """Tell everybody but one what has changed since."""
        tables, values = self._replica.altered_since(former)
        bodies = changes_in_pieces(rows_of(tables), values)
        return [self.changed(body)._replace(exclude=exclude) for body in bodies]

    def _succeeded(self, client: str) -> None:
        self._questions.succeeded(client)
        self._patient.pop(client, None)

    def _answer(self, sender: str, message: Message) -> Outcome:
        given = answer(self._replica, message.kind, message.body)
        missing = given.missing_bytes()
        if missing <= LARGE_BYTES:
            return self._respond(sender, message, given.body())
        if missing > PACED_OVER_BYTES or self._crowded():
            return Outcome(paced=(self._paced(sender, message.request_id, given),))
        remainder = parted_remainder(message.request_id, RESPONSE, given.parts())
        return Outcome(sends=(Send(sender, remainder),), large=True)

    def _paced(self, client: str, request_id: str | None, given: Answer) -> Paced:
        rest = given.without_missing().body()
        return Paced(
            client,
            self._pieces(given),
            message_remainder(request_id, RESPONSE, rest),
            self._announcement,
        )

    def _pieces(self, given: Answer) -> Iterator[Remainder]:
        for body in given.pieces(PIECE_BYTES):
            yield parted_remainder(self._random(_TRANSACTION_CHARS), CONTENT_DIFF, body)

    def _respond(self, recipient: str, message: Message, body: bytes) -> Outcome:
        remainder = message_remainder(message.request_id, RESPONSE, body)
        return Outcome(sends=(Send(recipient, remainder),))

    def _announcement(self) -> str:
        """A ContentHashes message of the replica's own."""
        transaction = self._random(_TRANSACTION_CHARS)
        hashes = dump_json(self._replica.content_hashes())
        return message_remainder(transaction, CONTENT_HASHES, hashes)

    def _question_id(self, transaction: str) -> str:
        return f"{transaction}.{self._random(_QUESTION_CHARS)}"
