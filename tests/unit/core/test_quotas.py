"""Quotas of a namespace: its options before the settings of the service."""

import pytest

from app.core.quotas import NO_QUOTAS, Quotas, with_options

SERVICE = Quotas(cpu_seconds_per_minute=5, events_per_second=100)


def test_what_an_option_does_not_say_is_as_the_service_says() -> None:
    own = with_options(SERVICE, {"quota_events_per_second": "2.5", "sync": "relay"})
    assert own == Quotas(cpu_seconds_per_minute=5, events_per_second=2.5)


def test_nought_is_any_amount() -> None:
    options = {"quota_events_per_second": "0", "quota_cpu_seconds_per_minute": "0"}
    assert with_options(SERVICE, options) == NO_QUOTAS
    assert not with_options(SERVICE, options)
    assert SERVICE


@pytest.mark.parametrize("text", ["", "much", "-1", "inf", "nan"])
def test_what_is_no_amount_is_refused_with_the_name_of_the_option(text: str) -> None:
    with pytest.raises(ValueError, match="quota_bytes_per_second is"):
        with_options(NO_QUOTAS, {"quota_bytes_per_second": text})
