"""The log levels of single namespaces, as operators set them; every worker follows in seconds.

They are stored, so they hold across restarts and for workers that come later. Each worker looks
every two seconds; while the database is away, the last known ones hold.
"""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.namespace_settings import NamespaceSettings

_log = structlog.get_logger("stateroom.log_levels")

LOOK_SECONDS: Final = 2.0


class LogLevels:
    """See the module.

    Args:
        settings: Where they are stored.
        clock: For the pauses between looks.
        apply: Makes them hold in this process.
    """

    def __init__(
        self,
        settings: NamespaceSettings,
        clock: Clock,
        *,
        apply: Callable[[Mapping[str, str]], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._apply = apply
        self._known: Mapping[str, str] = {}
        self._away = False

    async def run(self) -> None:
        """Follow what is stored, for ever."""
        while True:
            try:
                await self.all()
                self._away = False
            except StateroomError as error:
                if not self._away:
                    _log.warning("log_levels_not_read", code=error.code)
                self._away = True
            await self._clock.sleep(LOOK_SECONDS)

    async def all(self) -> Mapping[str, str]:
        """Read the level of every namespace that has one of its own, and let it hold here.

        Raises:
            StoreUnavailable: The database is away.
        """
        found = await self._settings.log_levels()
        if found != self._known:
            self._known = found
            self._apply(found)
        return found

    async def set(self, namespace: str, level: str | None) -> None:
        """Give a namespace a level of its own, or none; it holds here at once.

        Raises:
            StoreUnavailable: The database is away; whether it is stored is not known.
        """
        await self._settings.set_log_level(namespace, level)
        _log.info("log_level_set", of=namespace, level=level)
        await self.all()
