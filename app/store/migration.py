"""Bringing the schema up to date: what `stateroom migrate` runs.

Alembic is asked from a thread, for it drives an event loop of its own. The scripts lie beside
the application, in a checkout and in the wheel alike, and import neither of them: tables and
connection are handed over in `config.attributes`.
"""

import asyncio
import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from ..core.errors import MigrationMissing, StartupError
from .database import read_cluster
from .driver import ConnectTarget, Pooler
from .failures import (
    DRIVER_ERRORS,
    NEW_CONNECTION,
    classify,
    driver_error_of,
    is_login_refusal,
    label,
    translated_at_start,
)
from .tables import metadata

_SCRIPTS: Final = Path(__file__).resolve().parents[2] / "migrations"
# Alembic keeps what it runs in a global of its own. Other processes are kept off by a lock in
# the database.
_one_at_a_time: Final = threading.Lock()


def alembic_config(target: ConnectTarget) -> Config:
    """What Alembic's commands need to know, for one database."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["metadata"] = metadata
    config.attributes["connect"] = target.connect_raw
    return config


def head_revision() -> str:
    """The newest revision among the scripts."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head() or ""


async def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema; two at once wait for one another.

    Raises:
        DatabaseUnreachable, DatabaseRefused: See `Database.open`.
        ConfigurationInvalid: The URL cannot be read.
    """
    target = _plain_target(url)
    try:
        await asyncio.to_thread(_upgrade, target)
    except DRIVER_ERRORS as error:
        raise _told(error, target) from error
    except DBAPIError as error:
        raise _told(driver_error_of(error), target) from error


async def check_schema(url: str) -> None:
    """Return if the database at `url` has the schema that this release needs.

    Raises:
        MigrationMissing: It has not, or has none.
        DatabaseUnreachable, DatabaseRefused, ConfigurationInvalid: See `Database.open`.
    """
    await read_cluster(_plain_target(url))


def _upgrade(target: ConnectTarget) -> None:
    with _one_at_a_time:
        command.upgrade(alembic_config(target), "head")


def _plain_target(url: str) -> ConnectTarget:
    """Without session settings: a migration needs none, so a pooler need not be told of."""
    return ConnectTarget.from_url(url, pooler=Pooler.TRANSACTION)


def _told(error: Exception, target: ConnectTarget) -> StartupError:
    """A migration that could not run is one thing, one that was turned down half way another."""
    if classify(error) in NEW_CONNECTION or is_login_refusal(error):
        return translated_at_start(error, address=target.address)
    return MigrationMissing(
        f"a migration of {target.address} was undone ({label(error)})",
        remedy="Nothing was changed. Run `stateroom migrate` again when the database is quiet.",
    )
