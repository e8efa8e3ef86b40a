"""What is counted, and how it travels to another worker."""

from app.core.metric_catalogue import METRICS
from app.core.metrics import (
    OTHER,
    Histogram,
    Kind,
    Metric,
    Reading,
    Spread,
    Tally,
    only_known,
    packed,
    unpacked,
)

SIZES = Metric(name="sizes", kind=Kind.HISTOGRAM, group="", meaning="", bounds=(1.0, 10.0))
HITS = Metric(name="hits", kind=Kind.COUNTER, group="", meaning="", labels=("code",))
KNOWN = {metric.name: metric for metric in (SIZES, HITS)}


def test_a_value_on_a_bound_belongs_to_the_bucket_below_it() -> None:
    histogram = Histogram(SIZES)
    for value in (0.5, 1.0, 1.5, 10.0, 11.0):
        histogram.observe(value)
    assert list(histogram.read()) == [Reading("sizes", (), Spread((2, 2, 1), 24.0))]


def test_a_tally_counts_each_combination_of_labels_for_itself() -> None:
    tally = Tally()
    tally("hits", "a")
    tally("hits", "b")
    tally.add(3, "hits", "a")
    assert set(tally.read()) == {Reading("hits", ("a",), 4), Reading("hits", ("b",), 1)}


def test_a_tally_holds_a_bounded_number_of_labels_however_many_there_are() -> None:
    tally = Tally()
    for number in range(5_000):
        tally("hits", str(number))
    readings = {reading.labels[0]: reading.value for reading in tally.read()}
    assert len(readings) == 2_001
    assert readings[OTHER] == 3_000


def test_readings_come_back_as_they_were_sent() -> None:
    readings = [Reading("hits", ("a",), 4), Reading("sizes", (), Spread([2, 2, 1], 24.0))]
    assert unpacked(packed(readings), KNOWN) == readings


def test_what_another_release_tells_is_left_out_if_it_is_not_known_here() -> None:
    told = [
        ["hits", ["a"], 1],
        ["hits", [], 1],  # another number of labels
        ["news", [], 1],  # a metric that is not there yet
        ["sizes", [], [[1, 2], 3.0]],  # other buckets
        ["sizes", [], 4],  # no histogram
        ["hits", ["a"], "many"],
        "nonsense",
    ]
    assert unpacked(told, KNOWN) == [Reading("hits", ("a",), 1)]
    assert unpacked({"hits": 1}, KNOWN) == []


def test_codes_that_are_not_ours_are_added_up_as_one() -> None:
    readings = [Reading("hits", (code,), 1) for code in ("ours", "mine", "yours")]
    kept = list(only_known(readings, "hits", 0, {"ours"}))
    assert kept == [Reading("hits", ("ours",), 1), Reading("hits", (OTHER,), 2)]


def test_no_metric_has_a_label_that_only_an_object_or_a_client_could_fill() -> None:
    bounded = {
        "code", "direction", "duty", "engine", "namespace", "outcome", "state", "status", "surface",
        "node", "slot", "worker_id", "version", "build", "python", "schema",
    }  # fmt: skip
    assert {label for metric in METRICS.values() for label in metric.labels} <= bounded
