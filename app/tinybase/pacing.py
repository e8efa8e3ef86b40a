"""Large joins, in turns: one piece goes out, then everybody else of the worker has a turn.

What a client lacks may be more than one frame or one socket's buffer can hold. It is sent as
many changes, each complete in itself; a client that reads slowly gets them slowly. However many
join at once, one step of the event loop writes one piece, so that other rooms go on; the joiners
have their pieces one after the other, and whoever has not taken the last ones yet is passed over.

A client that asks again while its pieces are under way gets those of the last question, and then
the answers to all of them: what the others had missing is missing no more, or it is found when
the client compares, which it does because of the announcement behind the answers.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

from ..sdk.context import Context
from .attendance import Attendance
from .parted import Remainder, remainder_size
from .synchronizer import Paced
from .voice import Voice

BUFFERED_BYTES: Final = 1 << 20
"""A client that has more than this to take is passed over."""

_PAUSE_SECONDS = 0.01
_TURN_BYTES = 1 << 20
_ANSWERS = 256
"""So many questions of a client are answered behind its pieces; those before go unanswered."""
_LOOKS = 64
"""So many clients are looked at in one turn, at most."""


class UnderWay:
    """What is still to be sent to one client: pieces, answers, and the announcement."""

    __slots__ = ("_announcement", "_answers", "_pieces")

    def __init__(self, paced: Paced, before: "UnderWay | None") -> None:
        self._pieces: Iterator[Remainder] = paced.pieces
        self._answers: deque[Remainder] = deque(maxlen=_ANSWERS)
        if before is not None:
            self._answers.extend(before._answers)  # noqa: SLF001 - one of ours
        self._answers.append(paced.answer)
        self._announcement: Callable[[], Remainder] | None = paced.announcement

    def next(self) -> Remainder | None:
        """What is to be sent next; None when that was all."""
        piece = next(self._pieces, None)
        if piece is not None:
            return piece
        if self._answers:
            return self._answers.popleft()
        announcement, self._announcement = self._announcement, None
        return None if announcement is None else announcement()


class PacedSends:
    """What is still to be sent to whom.

    Args:
        ctx: Gives timers.
        clients: Who is there.
        voice: Sends.
    """

    __slots__ = ("_awaits_turn", "_clients", "_ctx", "_passed_over", "_under_way", "_voice")

    def __init__(self, ctx: Context, clients: Attendance, voice: Voice) -> None:
        self._ctx = ctx
        self._clients = clients
        self._voice = voice
        self._under_way: OrderedDict[str, UnderWay] | None = None  # few rooms ever need it
        self._passed_over = 0  # one after the other
        self._awaits_turn = False

    def crowded(self) -> bool:
        """Whether something large has gone out in this turn, or waits for the next ones."""
        return self._awaits_turn

    def begin(self, paced: Paced) -> None:
        """Send it in turns; its pieces replace those that were still under way to the client."""
        recipient = paced.recipient
        if self._under_way is None:
            self._under_way = OrderedDict()
        self._under_way[recipient] = UnderWay(paced, self._under_way.get(recipient))
        if not self._awaits_turn:
            self._turn()

    def took_turn(self) -> None:
        """Something large was sent beside this: what is large as well waits for the next turn."""
        if not self._awaits_turn:
            self._come_back(0.0)

    def forget(self, recipient: str) -> None:
        """The client is gone."""
        if self._under_way is not None:
            self._under_way.pop(recipient, None)

    def _turn(self) -> None:
        self._awaits_turn = False
        under_way = self._under_way
        if not under_way:
            return
        size = 0
        # What is sent in this turn is in no buffer yet: it leaves when the event has ended.
        for _ in range(min(len(under_way), _LOOKS)):
            size += self._next(under_way, *under_way.popitem(last=False))
            if size >= _TURN_BYTES:
                break
        if not under_way:
            return
        if self._passed_over < len(under_way):
            self._come_back(0.0)
        else:
            self._passed_over = 0
            self._come_back(_PAUSE_SECONDS)

    def _come_back(self, seconds: float) -> None:
        self._awaits_turn = True
        self._ctx.call_later(seconds, self._turn)

    def _next(self, queue: OrderedDict[str, UnderWay], recipient: str, under_way: UnderWay) -> int:
        """Send a client's next remainder if it may have one; return how large that was."""
        connection = self._clients.get(recipient)
        if connection is None or not connection.open:
            return 0
        if connection.buffered_bytes > BUFFERED_BYTES:
            queue[recipient] = under_way
            self._passed_over += 1
            return 0
        self._passed_over = 0
        remainder = under_way.next()
        if remainder is None:
            return 0
        self._voice.say_to(recipient, remainder)
        queue[recipient] = under_way
        return remainder_size(remainder)
