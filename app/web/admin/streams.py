"""How many answers a worker gives in pieces at once.

Each holds some megabytes, and perhaps a connection to the database, for as long as its client
takes to read it; one that stalls, for a minute. So there is a bound.
"""

from typing import Final

from ...core.errors import TooManyStreams

MOST_STREAMS: Final = 8


class OpenStreams:
    """See the module.

    Args:
        most: The bound.
    """

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._most = most
        self._open = 0

    def enter(self) -> None:
        """Begin one; `leave` is to follow.

        Raises:
            TooManyStreams: There are so many already.
        """
        if self._open >= self._most:
            raise TooManyStreams
        self._open += 1

    def leave(self) -> None:
        """One is over."""
        self._open -= 1
