"""What was gathered, in the text formats of Prometheus and OpenMetrics.

Each scrape has a registry of its own: several workers may live in one process, and what the
library collects of a process by itself is not wanted.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ..cluster.metrics import ToldWorker
from ..core.metric_catalogue import METRICS
from ..core.metrics import PREFIX, Kind, Metric, Reading, Spread, fits

WORKER: Final = "worker"

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Written(NamedTuple):
    """A scrape, as it is sent."""

    body: bytes
    media_type: str


def write(told: Iterable[ToldWorker], of_cluster: Iterable[Reading], accept: str) -> Written:
    """Write a scrape in the format that `accept` asks for; without, in that of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gathered(_families(told, of_cluster)))
    encode, media_type = choose_encoder(accept)
    return Written(encode(registry), media_type)


class _Gathered(Collector):
    """Gives a registry what was gathered already."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        """See `Collector`."""
        yield from self._families


def _families(told: Iterable[ToldWorker], of_cluster: Iterable[Reading]) -> Sequence[Family]:
    # Also what has no value yet is described: whoever asks for it gets nothing and not an error.
    families = {name: _family(metric) for name, metric in METRICS.items()}
    for worker, readings in told:
        up = Reading("worker_up", (), int(readings is not None))
        for reading in (up, *(readings or ())):
            if fits(reading, METRICS) and METRICS[reading.metric].of_worker:
                _add(families, reading, (worker, *reading.labels))
    for reading in of_cluster:
        if fits(reading, METRICS) and not METRICS[reading.metric].of_worker:
            _add(families, reading, reading.labels)
    return list(families.values())


def _add(families: dict[str, Family], reading: Reading, labels: Sequence[str]) -> None:
    metric, value = METRICS[reading.metric], reading.value
    family = families[metric.name]
    if isinstance(family, HistogramMetricFamily):
        if isinstance(value, Spread):
            family.add_metric(labels, _buckets(metric, value), value.total)
    elif not isinstance(value, Spread):
        family.add_metric(labels, value)


def _family(metric: Metric) -> Family:
    name, labels = PREFIX + metric.name, metric.labels
    if metric.of_worker:
        labels = (WORKER, *labels)
    match metric.kind:
        case Kind.COUNTER:
            return CounterMetricFamily(name, metric.meaning, labels=labels)
        case Kind.GAUGE:
            return GaugeMetricFamily(name, metric.meaning, labels=labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(name, metric.meaning, labels=labels)


def _buckets(metric: Metric, spread: Spread) -> list[tuple[str, float]]:
    """Buckets as they are written: each with all those below it."""
    bounds = [*(repr(bound) for bound in metric.bounds), "+Inf"]
    return list(zip(bounds, accumulate(map(float, spread.counts)), strict=True))
