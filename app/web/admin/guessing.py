"""Wrong tokens, counted by the address that they come from: guessing is slowed, memory is bounded.

An address may be wrong a few times a minute; then it is refused unheard until a while has
passed. Callers whose token was right before are heard all the same: somebody who guesses behind
the same proxy must not shut them out.
"""

import hmac
import secrets
from collections import OrderedDict
from hashlib import sha256
from typing import Final

from ...core.admin_errors import TooManyGuesses
from ...core.clock import Clock

WRONG_IN_A_ROW: Final = 10
FORGIVEN_SECONDS: Final = 6.0
"""One wrong token is forgiven in so many seconds."""
_MOST_ADDRESSES: Final = 4_096
_MOST_KNOWN: Final = 1_024


class GuessBrake:
    """See the module.

    Args:
        clock: For what is forgiven.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._wrong: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, address: str, token: str) -> None:
        """Hear a token, or not.

        Raises:
            TooManyGuesses: The address was wrong too often, and this token was never right.
        """
        if self._level(address) >= WRONG_IN_A_ROW and self._digest(token) not in self._known:
            raise TooManyGuesses

    def wrong(self, address: str) -> None:
        """That address showed a wrong token."""
        self._wrong[address] = (self._level(address) + 1, self._clock.monotonic())
        self._wrong.move_to_end(address)
        if len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, token: str) -> None:
        """That token was right."""
        self._known[self._digest(token)] = None
        self._known.move_to_end(self._digest(token))
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _level(self, address: str) -> float:
        level, since = self._wrong.get(address, (0.0, 0.0))
        return max(0.0, level - (self._clock.monotonic() - since) / FORGIVEN_SECONDS)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), sha256)
