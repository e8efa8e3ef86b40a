"""What is counted and measured: the forms of it, before anybody writes it down for a scraper.

A metric is described once, in `metric_catalogue`. What has a value at the moment is a `Reading`;
things that happen are counted in a `Tally`, and how long they take or how large they are in a
`Histogram`. All of them are plain numbers in memory: counting costs an addition, and whatever
has to be added up is added up when somebody asks.

Labels are bounded: namespaces are those of the settings, codes are ours, everything else is an
enum. Names of objects, paths and addresses of clients are never labels.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

PREFIX: Final = "stateroom_"
OTHER: Final = "other"
"""The label of what would be one label value too many."""
_MOST_SERIES: Final = 2_000


class Kind(StrEnum):
    """How the values of a metric behave: COUNTER only grows, GAUGE moves, HISTOGRAM has buckets."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: Without the prefix, and without the `_total` of a counter.
        kind: How its values behave.
        group: What it belongs to, on the page and on the dashboard.
        meaning: What a value says.
        unit: What it counts in, where that is not things.
        labels: Its labels, in the order in which readings give their values.
        bounds: The upper bounds of a histogram's buckets, ascending.
        of_worker: Whether each worker has it, and its worker is a label; else it is the cluster's.
    """

    name: str
    kind: Kind
    group: str
    meaning: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    of_worker: bool = True

    @property
    def full_name(self) -> str:
        """What it is called in a scrape; the series of a histogram add their own endings."""
        return PREFIX + self.name + ("_total" if self.kind is Kind.COUNTER else "")


class Spread(NamedTuple):
    """The value of a histogram: how many fell in each bucket (one more than bounds), and the sum.

    The counts are of each bucket alone, not of it and those below it.
    """

    counts: Sequence[int]
    total: float


class Reading(NamedTuple):
    """One value of one metric, by its name and the values of its labels."""

    metric: str
    labels: tuple[str, ...]
    value: float | Spread


class Counting(Protocol):
    """Where something countable is told."""

    def __call__(self, name: str, /, *labels: str) -> None:
        """Count one more of a metric, with the values of its labels."""
        ...


class Readable(Protocol):
    """Whatever has values to tell."""

    def read(self) -> Iterable[Reading]:
        """Tell them; it is called for each scrape and awaits nothing."""
        ...


def count_nothing(_name: str, /, *_labels: str) -> None:
    """Count for nobody."""


class Tally:
    """Counts what happens; it is a `Counting` and `Readable`.

    What it holds is bounded: with too many values of labels the next ones count as `OTHER`.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], int] = {}

    def __call__(self, name: str, /, *labels: str) -> None:
        """See `Counting`."""
        self.add(1, name, *labels)

    def add(self, more: int, name: str, /, *labels: str) -> None:
        """Count several at once."""
        counts, key = self._counts, (name, *labels)
        if key not in counts and len(counts) >= _MOST_SERIES:
            key = (name, *(OTHER for _ in labels))
        counts[key] = counts.get(key, 0) + more

    def read(self) -> Iterable[Reading]:
        """See `Readable`."""
        return [Reading(key[0], key[1:], count) for key, count in self._counts.items()]


class Histogram:
    """How large something was, each time, in buckets. `observe` is one bisection.

    Args:
        metric: Which metric; it has the bounds.
    """

    __slots__ = ("_bounds", "_counts", "_name", "_total")

    def __init__(self, metric: Metric) -> None:
        self._name = metric.name
        self._bounds = metric.bounds
        self._counts = [0] * (len(metric.bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Take one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Iterable[Reading]:
        """See `Readable`."""
        return (Reading(self._name, (), Spread(tuple(self._counts), self._total)),)


def packed(readings: Iterable[Reading]) -> list[Any]:
    """Readings as JSON, for another worker."""
    return [
        [name, list(labels), list(value) if isinstance(value, Spread) else value]
        for name, labels, value in readings
    ]


def unpacked(told: object, known: Mapping[str, Metric]) -> list[Reading]:
    """Readings that another worker has told, which may run another release.

    What is not known here, or has another form, is left out.
    """
    if not isinstance(told, list):
        return []
    found = []
    for each in told:
        match each:
            case [str(name), list(labels), [list(counts), int() | float() as total]]:
                reading = Reading(name, tuple(map(str, labels)), Spread(counts, total))
            case [str(name), list(labels), int() | float() as value]:
                reading = Reading(name, tuple(map(str, labels)), value)
            case _:
                continue
        if fits(reading, known):
            found.append(reading)
    return found


def fits(reading: Reading, known: Mapping[str, Metric]) -> bool:
    """Whether a reading is one of a metric that is known, and of its form."""
    metric = known.get(reading.metric)
    if metric is None or len(metric.labels) != len(reading.labels):
        return False
    if isinstance(reading.value, Spread):
        counts = reading.value.counts
        return (
            metric.kind is Kind.HISTOGRAM
            and len(counts) == len(metric.bounds) + 1
            and all(isinstance(count, int) for count in counts)
        )
    return metric.kind is not Kind.HISTOGRAM


def only_known(
    readings: Iterable[Reading], metric: str, label: int, known: Collection[str]
) -> Iterable[Reading]:
    """The readings, of which a metric's label has known values or `OTHER`, added up."""
    others: dict[tuple[str, ...], float] = {}
    for reading in readings:
        name, labels, value = reading
        if name != metric or labels[label] in known or isinstance(value, Spread):
            yield reading
        else:
            key = (*labels[:label], OTHER, *labels[label + 1 :])
            others[key] = others.get(key, 0) + value
    for key, total in others.items():
        yield Reading(metric, key, total)
