"""One connection to Postgres, and how it is opened.

Raw asyncpg, for the hot paths. What this adds to the driver: every wait has a deadline after
which the connection is dropped (a connection that is not known to be in step is of no use), and
statements are prepared once for each connection, in the one form that also works behind a
pooler in transaction mode (the driver's own statement cache is off there, and the kept
statement object sends Parse, Bind and Execute in one write).

Errors pass through as the driver raised them; `failures` says what they mean.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg

from ..core.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
_CLOSE_SECONDS: Final = 2.0
_TICK_SECONDS: Final = 0.5
# The server gives up a little after we did, so that what we dropped does not linger there.
_SERVER_GRACE_SECONDS: Final = 2.0


class Pooler(Enum):
    """What stands between us and Postgres."""

    NONE = "none"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectTarget:
    """Where the database is and how to speak to it.

    Attributes:
        dsn: `postgresql://...`, as the driver takes it. Holds the password: never printed.
        pooler: With TRANSACTION no session state of any kind is used.
        connect_seconds: How long opening one connection may take.
        statement_seconds: How long one statement may take before its connection is dropped.
    """

    dsn: str = field(repr=False)
    pooler: Pooler = Pooler.NONE
    connect_seconds: float = 5.0
    statement_seconds: float = 10.0

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        pooler: Pooler = Pooler.NONE,
        connect_seconds: float = 5.0,
        statement_seconds: float = 10.0,
    ) -> "ConnectTarget":
        """Take a URL in any of the spellings that are in use.

        Raises:
            ConfigurationInvalid: It is not a Postgres URL. The text does not quote it.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _SCHEMES:
            raise ConfigurationInvalid("the database URL must begin with postgresql://")
        return cls(
            dsn=f"postgresql://{rest}",
            pooler=pooler,
            connect_seconds=connect_seconds,
            statement_seconds=statement_seconds,
        )

    @property
    def address(self) -> str:
        """Host, port and database for people to read; no user and no password."""
        parts = urlsplit(self.dsn)
        host = parts.netloc.rpartition("@")[2] or "a local socket"
        return f"{host}{parts.path}"

    async def connect_raw(
        self, session: Mapping[str, str] | None = None
    ) -> "asyncpg.Connection[asyncpg.Record]":
        """Open a driver connection.

        Args:
            session: Settings of the session; left out behind a pooler, which refuses them.
        """
        behind_pooler = self.pooler is Pooler.TRANSACTION
        server_settings = None
        if not behind_pooler:
            limit_ms = int((self.statement_seconds + _SERVER_GRACE_SECONDS) * 1000)
            server_settings = {
                "application_name": "stateroom",
                "statement_timeout": str(limit_ms),
                **(session or {}),
            }
        try:
            async with asyncio.timeout(self.connect_seconds):
                return await asyncpg.connect(
                    self.dsn,
                    timeout=self.connect_seconds,
                    statement_cache_size=0 if behind_pooler else 100,
                    server_settings=server_settings,
                )
        except ValueError as error:
            # The driver's text quotes parts of the URL, and a password with an unquoted sign
            # in it lands in such a part.
            raise ConfigurationInvalid(
                "the database URL cannot be read; percent-encode what is special in it"
            ) from _without_text(error)


def _without_text(error: Exception) -> Exception:
    error.args = ("text withheld, it may quote the URL",)
    return error


class DriverConnection:
    """See the module. Not for two statements at once.

    Cancelling a statement drops the connection.
    """

    def __init__(
        self,
        raw: "asyncpg.Connection[asyncpg.Record]",
        target: ConnectTarget,
        *,
        keep_waiting: Callable[[], bool] | None = None,
    ) -> None:
        self._raw = raw
        self._keep_waiting = keep_waiting
        self._statement_seconds = target.statement_seconds
        self._statements: dict[str, PreparedStatement[asyncpg.Record]] = {}
        self._expired = False
        self._tick_seconds = min(_TICK_SECONDS, self._statement_seconds)
        self._waited = 0.0
        self._timer: asyncio.TimerHandle
        self._call_later = asyncio.get_running_loop().call_later

    @classmethod
    async def open(
        cls,
        target: ConnectTarget,
        *,
        session: Mapping[str, str] | None = None,
        keep_waiting: Callable[[], bool] | None = None,
    ) -> "DriverConnection":
        """Connect; raises what the driver raises.

        Args:
            target: Where to.
            session: See `ConnectTarget.connect_raw`.
            keep_waiting: Asked now and then while a statement takes long; the connection is
                dropped at once when it says no.
        """
        raw = await target.connect_raw(session)
        return cls(raw, target, keep_waiting=keep_waiting)

    @property
    def closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return self._raw.is_closed()

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement, in a transaction of its own, and return its rows.

        Raises:
            TimeoutError: There was no answer in time; the connection was dropped.
            Exception: What the driver raises.
        """
        self._waited = 0.0
        self._timer = self._call_later(self._tick_seconds, self._tick)
        try:
            statement = self._statements.get(sql)
            if statement is None:
                statement = self._statements[sql] = await self._raw.prepare(sql)
            return await statement.fetch(*arguments)
        except asyncio.CancelledError:
            self._raw.terminate()
            raise
        except (OSError, asyncpg.PostgresError) as error:
            if self._expired:
                raise TimeoutError("no answer in time") from error
            raise
        finally:
            self._timer.cancel()

    def forget_statements(self) -> None:
        """Prepare every statement anew at its next use."""
        self._statements.clear()

    def _tick(self) -> None:
        self._waited += self._tick_seconds
        patient = self._waited < self._statement_seconds
        if patient and (self._keep_waiting is None or self._keep_waiting()):
            self._timer = self._call_later(self._tick_seconds, self._tick)
        else:
            self._expired = True
            self._raw.terminate()

    def terminate(self) -> None:
        """Drop the connection at once."""
        self._raw.terminate()

    async def close(self) -> None:
        """Say goodbye to the server; drop the connection if that takes long."""
        if self._raw.is_closed():
            return
        try:
            await self._raw.close(timeout=_CLOSE_SECONDS)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._raw.terminate()
