"""A scrape as Prometheus and OpenMetrics read it."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from app.cluster.metrics import ToldWorker
from app.core.metric_catalogue import METRICS
from app.core.metrics import Reading, Spread
from app.web.metrics_text import write

BUCKETS = len(METRICS["commit_seconds"].bounds) + 1
TOLD = [
    ToldWorker(
        "node-0",
        [
            Reading("failovers", (), 2),
            Reading("commit_seconds", (), Spread([1] * BUCKETS, 7.5)),
            Reading("objects", ("notes",), 9),  # the cluster's: no worker tells it
        ],
    ),
    ToldWorker("node-1", None),
]
OF_CLUSTER = [Reading("objects", ("notes",), 3), Reading("failovers", (), 9)]


def _samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("worker", "")): sample.value
        for family in read_text(text)
        for sample in family.samples
        if sample.labels.get("le") in (None, "+Inf")
    }


def test_each_value_says_whose_it_is_and_the_silent_worker_is_down() -> None:
    samples = _samples(write(TOLD, OF_CLUSTER, "").body.decode())
    assert samples == {
        ("stateroom_worker_up", "node-0"): 1,
        ("stateroom_worker_up", "node-1"): 0,
        ("stateroom_failovers_total", "node-0"): 2,
        ("stateroom_commit_seconds_bucket", "node-0"): BUCKETS,
        ("stateroom_commit_seconds_count", "node-0"): BUCKETS,
        ("stateroom_commit_seconds_sum", "node-0"): 7.5,
        ("stateroom_objects", ""): 3,
    }


def test_openmetrics_is_written_to_those_who_ask_for_it() -> None:
    written = write(TOLD, OF_CLUSTER, "application/openmetrics-text; version=1.0.0")
    assert written.media_type.startswith("application/openmetrics-text")
    text = written.body.decode()
    families = {family.name for family in read_open(text)}  # type: ignore[no-untyped-call]  # has none
    assert "stateroom_failovers" in families


def test_what_no_catalogue_knows_is_not_written() -> None:
    written = write([ToldWorker("node-0", [Reading("secrets", (), 1)])], (), "")
    assert b"secrets" not in written.body
