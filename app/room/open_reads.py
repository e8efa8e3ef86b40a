"""Reads that the database has not answered, and the writes that must not overtake them.

A read gives what was there when it was asked for (conformance list, 90 and 105). Writes that are
made while it is under way change nothing for it as long as they are not committed, for what was
unconfirmed before is laid over the answer by the reader itself. So a batch that holds a key that
is being read is not taken before the answer is there. Nobody waits long: a read has the
database's deadline, and one that is asked for later sees the write and bars nothing.

Pure.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from ..core.values import KeyRange
from .buffer import Layer
from .scan import Overlay, within

Bars = Callable[[Layer], bool]


class OpenReads:
    """See the module.

    Args:
        closed: Called when a read that a batch waits for is over.
    """

    __slots__ = ("_barred", "_closed", "open")

    def __init__(self, closed: Callable[[], None]) -> None:
        self._closed = closed
        self.open: list[Bars] = []
        """Those under way; while there are none, nothing is barred."""
        self._barred = False

    def bar(self, pending: Layer) -> bool:
        """Whether these writes must wait; then `closed` is called when to ask again."""
        self._barred = any(bars(pending) for bars in self.open)
        return self._barred

    @contextmanager
    def of_keys(self, keys: Collection[bytes]) -> Iterator[None]:
        """While some keys are read."""
        with self._reading(lambda pending: not pending.entries.keys().isdisjoint(keys)):
            yield

    @contextmanager
    def of_range(self, wanted: KeyRange, overlay: Overlay) -> Iterator[None]:
        """While a range is read, on whose rows this overlay will be laid."""
        with self._reading(
            lambda pending: any(
                key not in overlay and within(key, wanted) for key in pending.entries
            )
        ):
            yield

    @contextmanager
    def _reading(self, touches: Bars) -> Iterator[None]:
        def bars(pending: Layer) -> bool:
            return pending.wiped or touches(pending)

        self.open.append(bars)
        try:
            yield
        finally:
            self.open.remove(bars)
            if self._barred:
                self._barred = False
                self._closed()
