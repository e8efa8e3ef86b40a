"""The numbers of one measurement, and the medians over several rounds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One scenario on one server in one round (or the median of each number over the rounds)."""

    messages: float
    deliveries: float
    seconds: float
    """From the first send to the last delivery."""
    p50_ms: float
    """Latency from the write of a message until its last recipient has it."""
    p99_ms: float
    server_cpu_seconds: float
    """All processes of the server but Postgres, until it was idle again after the last message."""
    postgres_cpu_seconds: float
    cpu_at_last_delivery_seconds: float
    """Server and Postgres at the last delivery; the rest was put off and done afterwards."""
    settle_seconds: float
    """How long the server worked on after the last delivery (0.4 s is the resolution)."""
    server_memory_bytes: float
    postgres_memory_bytes: float
    generator_share: float
    """CPU of the load generator while messages flowed, as a share of one core."""
    others_share: float
    """CPU of everything else on the machine meanwhile, as a share of all cores."""
    bytes_a_message: float = 0.0

    @property
    def put_off_share(self) -> float:
        """The share of the CPU that was used after the last delivery: work the server put off."""
        total = self.server_cpu_seconds + self.postgres_cpu_seconds
        return 1.0 - min(1.0, self.cpu_at_last_delivery_seconds / total) if total else 0.0

    @property
    def flowing_us_per_message(self) -> float:
        """CPU microseconds, Postgres included, that were used until the last delivery."""
        return self.cpu_at_last_delivery_seconds * 1e6 / self.messages

    @property
    def messages_per_second(self) -> float:
        """The rate at which messages were completed."""
        return self.messages / self.seconds

    @property
    def deliveries_per_second(self) -> float:
        """The rate at which recipients got messages."""
        return self.deliveries / self.seconds

    @property
    def server_us_per_message(self) -> float:
        """CPU microseconds of the server without Postgres."""
        return self.server_cpu_seconds * 1e6 / self.messages

    @property
    def postgres_us_per_message(self) -> float:
        """CPU microseconds of Postgres."""
        return self.postgres_cpu_seconds * 1e6 / self.messages

    @property
    def total_us_per_message(self) -> float:
        """CPU microseconds of the server with Postgres."""
        return self.server_us_per_message + self.postgres_us_per_message

    @property
    def server_us_per_delivery(self) -> float:
        """CPU microseconds of the server without Postgres."""
        return self.server_cpu_seconds * 1e6 / self.deliveries

    @property
    def total_us_per_delivery(self) -> float:
        """CPU microseconds of the server with Postgres."""
        return self.total_us_per_message * self.messages / self.deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The outcome of one measurement; without figures it failed, `faults` says why."""

    server: str
    scenario: str
    round: int
    figures: Figures | None
    faults: list[str] = field(default_factory=list)
    missing_in_replica: int | None = None
    """Cells that the replica of the running server lacked, or held stale, when it was idle again
    after the last message (None: it has no replica). A fault of ours, a remark on a peer."""
    missing_after_kill: int | None = None
    """The same after the server was killed at the last delivery (None: not tried)."""
    wrong_hashes: int | None = None
    """Rooms whose content hashes, told to a late joiner, are not those of the content that it got
    (None: nobody could ask). A fault of ours, a remark on a peer."""


def middle(cells: list[Cell]) -> Figures | None:
    """Return the median of every number over the cells that have figures and no faults.

    Times and CPU are taken per message first, so that a slow round weighs as much as a fast one.
    """
    measured = [cell.figures for cell in cells if cell.figures is not None and not cell.faults]
    if not measured:
        return None
    by_message = {
        "seconds",
        "server_cpu_seconds",
        "postgres_cpu_seconds",
        "cpu_at_last_delivery_seconds",
        "deliveries",
    }
    messages = median(figures.messages for figures in measured)
    numbers: dict[str, float] = {"messages": messages}
    for name in (item.name for item in fields(Figures) if item.name != "messages"):
        if name in by_message:
            each = [getattr(figures, name) / figures.messages for figures in measured]
            numbers[name] = median(each) * messages
        else:
            numbers[name] = median(getattr(figures, name) for figures in measured)
    return Figures(**numbers)
