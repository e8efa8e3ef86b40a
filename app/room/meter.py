"""Counts what one object costs while its room is up: a meter is integers, and adding to them.

The worker's ledger takes what has gathered every few seconds, so a meter stays small, and a room
that sleeps has none. Time is the thread's: what runs between two awaits keeps it busy, whoever
else waits. Reading the clock costs as much as a tenth of a small event, so of plain hooks one in
`SAMPLE` is timed and counts for all, but for large messages, whose cost is not that of others.
(docs/decisions/0044)
"""

from collections.abc import Callable
from typing import Final, TypeVar

from ..core.clock import busy_ns
from ..core.ids import ObjectId
from ..core.usage import Usage

ThingT = TypeVar("ThingT")

SAMPLE: Final = 16
_MASK: Final = SAMPLE - 1
LARGE_BYTES: Final = 4_096
"""A message that is larger is timed always."""
_NS: Final = 1_000


class Meter:
    """See the module.

    Args:
        object_id: Whose it is.
        phase: Where in sixteen events it begins, or objects that wake for a few events would
            never be timed.

    Attributes:
        turn: Counts the messages that are run at once, from the phase on: they are not counted
            anew when the others are, so that each message is one addition less.
        events: Events that ran otherwise.
        messages_in: Messages that were queued.
        refusing: For how many seconds the object is over a quota: what others ask of it is not
            run. 0: it is not.
    """

    __slots__ = (
        "alarms",
        "bytes_in",
        "bytes_out",
        "bytes_written",
        "commits",
        "cpu_ns",
        "events",
        "messages_in",
        "messages_out",
        "object_id",
        "refusing",
        "requests",
        "rows_written",
        "taken_turn",
        "turn",
        "wakes",
        "wall_ns",
        "watched",
    )

    def __init__(self, object_id: ObjectId, phase: int) -> None:
        self.object_id = object_id
        self.refusing = 0
        self.turn = self.taken_turn = self.watched = phase
        self.cpu_ns = self.wall_ns = 0
        self.events = self.messages_in = self.messages_out = self.requests = 0
        self.bytes_in = self.bytes_out = 0
        self.commits = self.rows_written = self.bytes_written = 0
        self.wakes = self.alarms = 0

    @property
    def idle(self) -> bool:
        """Whether nothing has been counted since the last look."""
        return not (
            self.events
            or self.turn != self.taken_turn
            or self.bytes_in
            or self.bytes_out
            or self.requests
            or self.commits
            or self.messages_out
            or self.wakes
            or self.cpu_ns >= _NS
        )

    @property
    def all_events(self) -> int:
        """How many events ran since it was made or taken from."""
        return self.events + self.turn - self.taken_turn

    def begin(self, size_bytes: int) -> int:
        """Count a message that is run at once; returns what `end` is given, 0 for nothing."""
        self.bytes_in += size_bytes
        self.turn += 1
        if self.turn & _MASK and size_bytes <= LARGE_BYTES:
            return 0
        return busy_ns()

    def end(self, begun: int, size_bytes: int) -> None:
        """Add the time since `begin`, for all that it stands for; of 0, nothing."""
        if begun:
            taken = busy_ns() - begun
            self.cpu_ns += taken if size_bytes > LARGE_BYTES else taken * SAMPLE

    def watch(self, work: Callable[[ThingT], None], thing: ThingT) -> None:
        """Run something small that happens often and is no event; one in sixteen is timed."""
        self.watched += 1
        if self.watched & _MASK:
            work(thing)
            return
        begun = busy_ns()
        work(thing)
        self.cpu_ns += (busy_ns() - begun) * SAMPLE

    def committed(self, rows: int, size_bytes: int) -> None:
        """Count a commit."""
        self.commits += 1
        self.rows_written += rows
        self.bytes_written += size_bytes

    def look(self) -> Usage:
        """What has gathered."""
        at_once = self.turn - self.taken_turn
        return Usage(
            self.cpu_ns // _NS,
            self.wall_ns // _NS,
            self.events + at_once,
            self.messages_in + at_once,
            self.messages_out,
            self.requests,
            self.bytes_in,
            self.bytes_out,
            self.commits,
            self.rows_written,
            self.bytes_written,
            self.wakes,
            self.alarms,
        )

    def take(self) -> Usage:
        """What has gathered, which is counted anew from here."""
        taken = self.look()
        self.taken_turn = self.turn
        self.cpu_ns %= _NS
        self.wall_ns %= _NS
        self.events = self.messages_in = self.messages_out = self.requests = 0
        self.bytes_in = self.bytes_out = 0
        self.commits = self.rows_written = self.bytes_written = 0
        self.wakes = self.alarms = 0
        return taken
