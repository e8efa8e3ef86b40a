"""Whether the client of a socket is still there: pings, and signs of life (docs/decisions/0019).

A client is gone when nothing at all came for some time after a ping. Anything is a sign of life:
its pong may stand behind a large message that comes slowly or behind what we do not read at the
moment, and our ping behind megabytes that the client takes slowly.
"""

import asyncio

from ..core.sockets import NO_PONG
from .closing import SILENT, close_payload
from .frame_parser import FrameParser, free_bytes, has_grown
from .shared import Shared
from .socket_end import EndingSocket

_PING_FRAME = bytes((0x89, 0))
_SLOWEST_BYTES = 1 << 16
"""So much a client has to take between two looks to be one that reads slowly and not a ghost."""


class PulsingSocket(EndingSocket):
    """See the module; `ping_wheel.Watched`.

    Attributes:
        parser: Where bytes go; its buffer tells of half a frame.
    """

    __slots__ = (
        "_asked_at",
        "_free_at_ask",
        "_heard",
        "_renew",
        "_unsent_at_ask",
        "parser",
    )

    parser: FrameParser

    def __init__(self, transport: asyncio.Transport, shared: Shared, *, reads: bool) -> None:
        super().__init__(transport, shared, reads=reads)
        self._heard = False
        self._asked_at: float | None = None
        self._free_at_ask = self._unsent_at_ask = 0
        self._renew = False
        """Whether the parser's buffer has grown and is to be given back."""
        shared.wheel.add(self, shared.ping_seconds)

    def look(self) -> float | None:
        """See `Watched.look`: ping the client, or find that it is gone."""
        shared = self._shared
        now = shared.clock.monotonic()
        free = free_bytes(self.parser)
        self._renew = self._renew or has_grown(free)
        if (asked := self._asked_at) is not None:
            if not self._heard and free == self._free_at_ask:
                return self._look_at_silence(now, now - asked)
            if (rest := asked + shared.ping_seconds - now) > shared.wheel.tick_seconds:
                return rest
        self._transport.write(_PING_FRAME)
        self._note_silence(now)
        return min(shared.ping_seconds, shared.pong_seconds)

    def _look_at_silence(self, now: float, seconds: float) -> float | None:
        """A pong may stand behind what we do not read, and our ping behind what is taken slowly."""
        limit = self._shared.pong_seconds
        if seconds < limit:
            return min(self._shared.ping_seconds, limit - seconds)
        taken = self._unsent_at_ask - self._transport.get_write_buffer_size()
        if not self._reads or taken >= _SLOWEST_BYTES:
            self._note_silence(now)
            return limit
        self._begin_close(NO_PONG, close_payload(*SILENT))
        self._transport.close()  # waits for a reader that may be gone
        self._drop_later()
        self._tell_if_delivered()
        return None

    def _note_silence(self, now: float) -> None:
        self._asked_at = now
        self._heard = False
        self._free_at_ask = free_bytes(self.parser)
        self._unsent_at_ask = self._transport.get_write_buffer_size()

    def _forget_parser(self) -> None:
        del self.parser
