"""What the doctor says of a database: a judgement of the facts that `store.diagnosis` found."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from ..core.clock import SystemClock
from ..core.errors import StateroomError
from ..settings import DatabasePooler, Settings
from ..store.diagnosis import Diagnosis, PoolMode, diagnose
from .findings import Finding, bad, doubtful, good

OLDEST: Final = 15
NEWEST: Final = 18
SKEW_SECONDS: Final = 1.0
"""A clock that is off by more than this is told."""
FAR_SECONDS: Final = 0.02
"""A round trip longer than this is told: every commit takes one."""

_BESIDE: Final = 3
"""Connections of a worker besides its pool: two for commits, one for the lease."""

_POOLER: Final = "STATEROOM_DATABASE_POOLER"


def examine_database(settings: Settings) -> Iterator[Finding]:
    """Look at the database of the settings; nothing is said when they name none."""
    if settings.database_url is None:
        return
    url = settings.database_url.get_secret_value()
    try:
        found = asyncio.run(diagnose(url, SystemClock()))
    except StateroomError as error:
        yield bad("database", str(error), error.remedy)
        return
    yield from judge_database(found, settings)


def judge_database(found: Diagnosis, settings: Settings) -> Iterator[Finding]:
    """Judge what was found."""
    yield _version(found)
    yield _pooler(found, DatabasePooler(settings.database_pooler))
    yield _clock(found)
    yield _distance(found)
    yield from _settings(found, settings)


def _version(found: Diagnosis) -> Finding:
    subject = "postgres"
    if found.standby:
        return bad(subject, f"{found.version}, a standby", "Name the primary, or all hosts.")
    if found.major < OLDEST:
        return bad(subject, f"{found.version} is too old", f"Upgrade to {OLDEST} or later.")
    if found.major > NEWEST:
        return doubtful(subject, f"{found.version} is newer than any that was tested")
    return good(subject, found.version)


def _pooler(found: Diagnosis, told: DatabasePooler) -> Finding:
    subject, mode = "pooler", found.pool_mode
    if mode is PoolMode.TRANSACTION and told is DatabasePooler.NONE:
        return bad(
            subject,
            "a pooler in transaction mode stands before Postgres, and the settings say none",
            f"Set {_POOLER}=transaction.",
        )
    if mode is PoolMode.SESSION and told is DatabasePooler.TRANSACTION:
        return doubtful(
            subject,
            "the pooler is in session mode: each of our connections holds one of the server's",
            f"Set its pool_mode to transaction, or {_POOLER}=none.",
        )
    if mode is PoolMode.NONE and told is DatabasePooler.TRANSACTION:
        return doubtful(
            subject,
            "there is none, and the settings say transaction: every commit is planned anew",
            f"Set {_POOLER}=none.",
        )
    return good(subject, "none" if mode is PoolMode.NONE else f"{mode.value} mode, as set")


def _clock(found: Diagnosis) -> Finding:
    ahead = found.clock_ahead_seconds
    told = (
        f"the database's is {abs(ahead):.3f} s {'ahead' if ahead >= 0 else 'behind'} "
        f"(within {found.clock_unsure_seconds:.3f} s)"
    )
    if abs(ahead) - found.clock_unsure_seconds <= SKEW_SECONDS:
        return good("clock", told)
    return doubtful(
        "clock",
        f"{told}: alarms, leases and stamps of TinyBase follow the database, logs this machine",
        "Run NTP on both.",
    )


def _distance(found: Diagnosis) -> Finding:
    told = f"a round trip takes {found.round_trip_seconds * 1000:.1f} ms"
    if found.round_trip_seconds <= FAR_SECONDS:
        return good("distance", told)
    return doubtful(
        "distance", f"{told}, and every commit waits for one", "Bring workers and Postgres closer."
    )


def _settings(found: Diagnosis, settings: Settings) -> Iterator[Finding]:
    of_server = found.settings
    encoding = of_server.get("server_encoding", "")
    if encoding != "UTF8":
        yield bad("encoding", f"it is {encoding}", "Create the database with encoding UTF8.")
    if of_server.get("autovacuum") == "off":
        yield doubtful(
            "autovacuum", "it is off: tables of rooms grow with every commit", "Switch it on."
        )
    if not found.near and not found.encrypted:
        yield doubtful(
            "encryption",
            "passwords and rooms cross the network in clear text",
            "Add sslmode=verify-full to the URL.",
        )
    if found.pool_mode is PoolMode.NONE:
        yield _connections(of_server, settings)


def _connections(of_server: Mapping[str, str], settings: Settings) -> Finding:
    most = int(of_server.get("max_connections", "0"))
    reserved = int(of_server.get("superuser_reserved_connections", "0"))
    ours = (settings.database_connections + _BESIDE) * settings.workers
    told = f"this machine's workers open up to {ours} of {most - reserved}"
    if ours <= most - reserved:
        return good("connections", told)
    return bad(
        "connections",
        told,
        "Raise max_connections, lower STATEROOM_DATABASE_CONNECTIONS, or put a pooler between.",
    )
