"""What is measured of commits: for each group and not for each batch, so that it costs nothing.

What a group leaves behind is taken to wait from then on. A worker has one meter for all its lives.
`committed` counts batches; all else is of groups on the connection for small batches, which is
the one that rooms wait for.
"""

from collections.abc import Callable, Iterable

from ..core.clock import Clock
from ..core.metric_catalogue import METRICS
from ..core.metrics import Histogram, Reading
from ..core.values import CommitResult
from .commit_statement import Flight


class CommitMeter:
    """See the module; it is `core.metrics.Readable`.

    Args:
        clock: Measures.
    """

    __slots__ = (
        "_clock",
        "_histograms",
        "_launched_at",
        "_others",
        "_waits_since",
        "backlog",
        "committed",
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        names = ("commit_seconds", "gate_wait_seconds", "commit_group_rooms", "commit_group_bytes")
        self._histograms = [Histogram(METRICS[name]) for name in names]
        self._waits_since: float | None = None
        self._launched_at = (0.0, 0.0)
        self.committed = 0
        """Batches that were committed."""
        self._others: dict[str, int] = {}
        self.backlog: Callable[[], int] = lambda: 0
        """Tells how many objects wait or are on their way; the committer of the present life."""

    def waiting(self) -> None:
        """A batch has begun to wait, and nobody waited before it."""
        self._waits_since = self._clock.monotonic()

    def launched(self, group: list[Flight], *, more: bool) -> None:
        """A group is sent; `more` wait already for the one behind it."""
        now = self._clock.monotonic()
        since = now if self._waits_since is None else self._waits_since
        self._launched_at = (since, now)
        self._waits_since = now if more else None
        self._histograms[2].observe(len(group))
        self._histograms[3].observe(sum([flight.batch.size_bytes for flight in group]))

    def landed(self) -> None:
        """The group's answer is here, or what took its place."""
        since, launched_at = self._launched_at
        now = self._clock.monotonic()
        self._histograms[0].observe(now - launched_at)
        self._histograms[1].observe(now - since)

    def ended(self, result: CommitResult) -> None:
        """A batch has ended otherwise than committed."""
        name = result.name.lower()
        self._others[name] = self._others.get(name, 0) + 1

    def read(self) -> Iterable[Reading]:
        """See `Readable`."""
        yield Reading("commit_backlog", (), self.backlog())
        yield Reading("commits", (CommitResult.COMMITTED.name.lower(),), self.committed)
        for outcome, count in self._others.items():
            yield Reading("commits", (outcome,), count)
        for histogram in self._histograms:
            yield from histogram.read()
