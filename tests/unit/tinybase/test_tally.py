"""What TinyBase rooms have refused, as it is told in metrics."""

from app.core.metric_catalogue import METRICS
from app.core.metrics import Kind, Reading, fits
from app.tinybase.tally import Tally


def test_every_count_is_told_under_a_metric_of_its_own() -> None:
    told = dict(Tally(refused=4, amended=3, corrected=2, sent_away=1).counts())
    assert told == {
        "changes_refused": 4,
        "changes_amended": 3,
        "changes_corrected": 2,
        "clients_sent_away": 1,
    }
    for name, count in told.items():
        assert METRICS[name].kind is Kind.COUNTER
        assert fits(Reading(name, (), count), METRICS)
