"""Quotas as options of a mount."""

import pytest

from app.cluster.namespaces import make_mount
from app.core.errors import ConfigurationInvalid
from app.core.quotas import NO_QUOTAS, Quotas
from app.tinybase.room import TinyBaseRoom

SERVICE = Quotas(bytes_per_second=1_000)


def test_a_mount_has_the_quotas_of_the_service_but_for_its_options() -> None:
    options = {"quota_events_per_second": "10", "sync": "relay"}
    mount = make_mount("notes", TinyBaseRoom, options, quotas=SERVICE)
    assert mount.quotas == Quotas(bytes_per_second=1_000, events_per_second=10)
    assert mount.settings == {"sync": "relay"}
    assert make_mount("notes", TinyBaseRoom, {}).quotas == NO_QUOTAS


def test_an_impossible_quota_is_a_start_up_error_that_names_it() -> None:
    with pytest.raises(ConfigurationInvalid, match="'notes': quota_events_per_second is 'many'"):
        make_mount("notes", TinyBaseRoom, {"quota_events_per_second": "many"})
