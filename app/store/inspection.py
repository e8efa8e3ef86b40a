"""What a server's settings mean for us: told by `stateroom check`, demanded by nobody.

Two kinds of settings matter. Those of durability decide what an acknowledged write survives; they
are the operator's choice, who should know what was chosen. Those of the planner are set by every
committer for its own session; a pooler in transaction mode has no sessions, so there they must
be the role's.
"""

from collections.abc import Mapping
from typing import Final

from .commit_statement import SESSION
from .driver import ConnectTarget, DriverConnection, Pooler
from .failures import DRIVER_ERRORS, translated_at_start

_DURABILITY: Final = ("fsync", "full_page_writes", "synchronous_commit")
_STANDBYS: Final = "synchronous_standby_names"
_ASK: Final = "select name, setting from pg_settings where name = any($1::text[])"
_WHERE_DECIDED: Final = "alter role {role} set {name} = {value}"


async def remarks_on(url: str, *, pooler: Pooler) -> list[str]:
    """Look at the settings that a worker would work under; one sentence for each doubt.

    Raises:
        DatabaseUnreachable, DatabaseRefused, ConfigurationInvalid: See `Database.open`.
    """
    target = ConnectTarget.from_url(url, pooler=pooler)
    try:
        connection = await DriverConnection.open(target)
        try:
            names = [*_DURABILITY, _STANDBYS, *SESSION]
            rows = await connection.fetch(_ASK, names)
            (who,) = await connection.fetch("select quote_ident(current_user) as role")
        finally:
            await connection.close()
    except DRIVER_ERRORS as error:
        raise translated_at_start(error, address=target.address) from error
    settings = {row["name"]: row["setting"] for row in rows}
    remarks = _on_durability(settings, several_hosts=len(target.hosts) > 0)
    if pooler is Pooler.TRANSACTION:
        remarks += _on_planning(settings, who["role"])
    return remarks


def _on_durability(settings: Mapping[str, str], *, several_hosts: bool) -> list[str]:
    remarks = [
        f"{name} is off: a crash of the server may lose acknowledged writes"
        for name in _DURABILITY
        if settings.get(name) == "off"
    ]
    if several_hosts and not settings.get(_STANDBYS):
        remarks.append(
            f"{_STANDBYS} is empty: replication is asynchronous, and a failover may lose "
            "acknowledged writes"
        )
    elif several_hosts and settings.get("synchronous_commit") == "local":
        remarks.append(
            "synchronous_commit is local: no standby is waited for, and a failover may lose "
            "acknowledged writes"
        )
    return remarks


def _on_planning(settings: Mapping[str, str], role: str) -> list[str]:
    missing = [
        _WHERE_DECIDED.format(role=role, name=name, value=value)
        for name, value in SESSION.items()
        if settings.get(name) != value
    ]
    if not missing:
        return []
    commands = "; ".join(missing)
    return [f"through a pooler, how commits are planned is up to the role; run: {commands}"]
