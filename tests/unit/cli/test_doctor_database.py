"""How the doctor judges what it found out about a database."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from app.cli.doctor_database import judge_database
from app.cli.findings import Finding, Verdict
from app.settings import Settings
from app.store.diagnosis import Diagnosis, PoolMode

WELL = Diagnosis(
    major=18,
    version="18.0",
    standby=False,
    encrypted=False,
    near=True,
    pool_mode=PoolMode.NONE,
    clock_ahead_seconds=0.01,
    clock_unsure_seconds=0.001,
    round_trip_seconds=0.002,
    settings=MappingProxyType(
        {
            "server_encoding": "UTF8",
            "autovacuum": "on",
            "max_connections": "100",
            "superuser_reserved_connections": "3",
        }
    ),
)


def judged(configured: dict[str, Any] | None = None, **found: Any) -> dict[str, Finding]:
    of_server = {**WELL.settings, **found.pop("settings", {})}
    diagnosis = replace(WELL, **found, settings=of_server)
    findings = judge_database(diagnosis, Settings(**(configured or {})))
    return {finding.subject: finding for finding in findings}


def test_nothing_is_said_against_a_database_that_is_well() -> None:
    assert {finding.verdict for finding in judged().values()} == {Verdict.GOOD}


@pytest.mark.parametrize(
    ("found", "subject", "verdict", "words"),
    [
        ({"standby": True}, "postgres", Verdict.BAD, "a standby"),
        ({"major": 14, "version": "14.1"}, "postgres", Verdict.BAD, "too old"),
        ({"major": 19, "version": "19.0"}, "postgres", Verdict.DOUBTFUL, "newer"),
        ({"clock_ahead_seconds": -61.5}, "clock", Verdict.DOUBTFUL, "61.500 s behind"),
        ({"clock_ahead_seconds": 3.0, "clock_unsure_seconds": 2.5}, "clock", Verdict.GOOD, "3.0"),
        ({"round_trip_seconds": 0.08}, "distance", Verdict.DOUBTFUL, "80.0 ms"),
        ({"near": False}, "encryption", Verdict.DOUBTFUL, "clear text"),
        ({"settings": {"autovacuum": "off"}}, "autovacuum", Verdict.DOUBTFUL, "grow"),
        ({"settings": {"server_encoding": "SQL_ASCII"}}, "encoding", Verdict.BAD, "SQL_ASCII"),
        ({"settings": {"max_connections": "10"}}, "connections", Verdict.BAD, "up to 9 of 7"),
    ],
)
def test_what_is_wrong_is_told(
    found: dict[str, Any], subject: str, verdict: Verdict, words: str
) -> None:
    finding = judged(**found)[subject]
    assert finding.verdict is verdict
    assert words in finding.text


@pytest.mark.parametrize(
    ("told", "mode", "verdict"),
    [
        ("none", PoolMode.NONE, Verdict.GOOD),
        ("none", PoolMode.SESSION, Verdict.GOOD),
        ("none", PoolMode.TRANSACTION, Verdict.BAD),
        ("transaction", PoolMode.NONE, Verdict.DOUBTFUL),
        ("transaction", PoolMode.SESSION, Verdict.DOUBTFUL),
        ("transaction", PoolMode.TRANSACTION, Verdict.GOOD),
    ],
)
def test_a_pooler_is_compared_with_what_the_settings_say(
    told: str, mode: PoolMode, verdict: Verdict
) -> None:
    finding = judged({"database_pooler": told}, pool_mode=mode)["pooler"]
    assert finding.verdict is verdict
    assert bool(finding.remedy) is (verdict is not Verdict.GOOD)
