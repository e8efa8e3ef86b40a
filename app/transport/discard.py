"""What a client sends behind its breach of the protocol: read and thrown away.

A connection that is closed with unread bytes is reset, and the client would lose the frame that
tells it why.
"""

import asyncio
from collections.abc import Callable


class Discard(asyncio.Protocol):
    """See the module.

    Args:
        gone: Told that the connection is over.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        del exc  # how it ended is known
        self._gone()
