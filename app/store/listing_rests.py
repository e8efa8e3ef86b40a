"""Objects that were just listed and rest before they are listed again, by the monotonic clock.

What is over is forgotten when as many have been added as were left the last time, so a service
through which many objects pass holds no more of them than rest at a time, twice over.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID

_FEW: Final = 1_000


class Rest(NamedTuple):
    """Until when an object rests, and until when its size does."""

    entry: float
    size: float


class Rests:
    """See the module."""

    __slots__ = ("_forget_over", "_rests")

    def __init__(self) -> None:
        self._rests: dict[UUID, Rest] = {}
        self._forget_over = _FEW

    def __len__(self) -> int:
        return len(self._rests)

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._rests)

    def of(self, uuid: UUID, now: float) -> Rest:
        """How long an object rests; one that does not, until now."""
        return self._rests.get(uuid) or Rest(now, now)

    def begin(self, uuid: UUID, rest: Rest) -> None:
        """Let an object rest."""
        self._rests[uuid] = rest

    def forget(self, now: float) -> None:
        """Forget what is over, if it is time to."""
        if len(self._rests) > self._forget_over:
            self._rests = {uuid: rest for uuid, rest in self._rests.items() if max(rest) > now}
            self._forget_over = max(_FEW, 2 * len(self._rests))

    def clear(self) -> None:
        """Let nobody rest."""
        self._rests.clear()
