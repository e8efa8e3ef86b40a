"""Keys from a JWKS address: fetched when they are needed, kept, and followed when they rotate.

* The first token fetches them; a token with an unknown key id fetches them again, but no sooner
  than some seconds after the last try, whoever asks and however often.
* Keys that are old are fetched again beside the work, so that a key which was taken away ends.
* When the address does not answer, the keys that are known go on to be used.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from ..core.access_errors import JudgeUnavailable
from ..core.clock import Clock
from ..core.tasks import TaskOwner
from .key_set import KeySet, KeysUnreadable

_log = structlog.get_logger("stateroom.keys")

STALE_SECONDS: Final = 300.0

Fetch = Callable[[], Awaitable[bytes]]
"""Gets the document. It has a deadline and a bound of its own; raises OSError when it fails."""


class KeySource:
    """See the module.

    Args:
        fetch: Gets the document.
        clock: For ages.
        tasks: Owner of fetches.
        pause_seconds: The least time between two tries.
    """

    def __init__(
        self, fetch: Fetch, *, clock: Clock, tasks: TaskOwner, pause_seconds: float
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._tasks = tasks
        self._pause = pause_seconds
        self._known: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    def known(self) -> KeySet | None:
        """The keys that are known, if any; old ones are fetched again meanwhile."""
        if self._known is not None and self._clock.monotonic() - self._fetched_at > STALE_SECONDS:
            self._begin()
        return self._known

    @property
    def may_ask(self) -> bool:
        """Whether asking now would bring anything: a fetch is under way, or may begin."""
        return self._fetching is not None or self._rested()

    async def asked(self) -> KeySet:
        """The keys after one more fetch, which all who wait at the moment share.

        Raises:
            JudgeUnavailable: There are none: the address did not answer, now and before.
        """
        self._begin()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        if self._known is None:
            raise JudgeUnavailable
        return self._known

    def _rested(self) -> bool:
        return self._clock.monotonic() - self._tried_at >= self._pause

    def _begin(self) -> None:
        if self._fetching is None and self._rested():
            self._tried_at = self._clock.monotonic()
            self._fetching = self._tasks.start(self._refresh(), name="jwks")

    async def _refresh(self) -> None:
        try:
            self._known = KeySet.read(await self._fetch())
            self._fetched_at = self._clock.monotonic()
        except (OSError, KeysUnreadable) as error:
            _log.warning("jwks_not_fetched", reason=str(error), kept=self._known is not None)
        finally:
            self._fetching = None
