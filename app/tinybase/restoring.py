"""A room goes back to an earlier content, by new changes.

Rows put back as they were would be overruled by every client that still holds what came later.
So what was then is written as changes of now: cells that differ are set, cells that came later
are deleted, all with new stamps, in one transaction. Clients follow, whether they are connected
or come back later, and those who edited meanwhile merge as ever.
"""

from typing import Final

from ..sdk.past import Past
from .clock import ALPHABET, Clock
from .content_calls import ContentCalls
from .large import load_bit_by_bit
from .layout import MARK
from .replica import Replica

_NOBODY: Final = ALPHABET[0] * 5
_AFTER_MARK: Final = chr(ord(MARK) + 1)


class RestoredContent(ContentCalls):
    """The half of `TinyBaseRoom` that is restored."""

    async def on_restore(self, past: Past) -> None:
        """The content becomes what it was at `past`, by new changes that all clients follow.

        `on_changes` is told of them. Keys of a subclass's own are put back as they were, too; a
        subclass that keeps in memory what stands there calls this first and reads them again.
        """
        await self._restore_own_keys(past)
        if self._replica is None:
            return
        then = Replica(Clock(_NOBODY))
        await load_bit_by_bit(self.ctx, then, past.stream(prefix=MARK))
        await self._become_like(then)

    async def _restore_own_keys(self, past: Past) -> None:
        """Put back what stands before and behind the keys of the replica."""
        storage = self.ctx.storage
        for start, end in ((None, MARK), (_AFTER_MARK, None)):
            then = await past.list(start=start, end=end)
            now = await storage.list(start=start, end=end)
            for key in now.keys() - then.keys():
                storage.delete(key)
            for key, value in then.items():
                if key not in now or repr(now[key]) != repr(value):  # True is not 1
                    storage.put(key, value)
