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
from asyncpg.connect_utils import SessionAttribute

from ..core.errors import ConfigurationInvalid
from .hosts import Answer, Hosts, Place, hosts_of, role_of

if TYPE_CHECKING:
    from asyncpg.prepared_stmt import PreparedStatement

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
CLOSE_SECONDS: Final = 2.0
TICK_SECONDS: Final = 0.5
# The server gives up a little after we did, so that what we dropped does not linger there.
_SERVER_GRACE_SECONDS: Final = 2.0
_LINEAGE: Final = """
select system_identifier as cluster, left(pg_walfile_name(pg_current_wal_lsn()), 8) as timeline
from pg_control_system()
"""
STANDBY_WAIT: Final = "SyncRepWaitForLSN"


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
        role: What a server must be to be spoken to (`target_session_attrs`); None: anything.
        hosts: The hosts to choose from; empty when there is one.
    """

    dsn: str = field(repr=False)
    pooler: Pooler = Pooler.NONE
    connect_seconds: float = 5.0
    statement_seconds: float = 10.0
    role: SessionAttribute | None = None
    hosts: Hosts = field(default_factory=Hosts, repr=False, compare=False)

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
            ConfigurationInvalid: It is not a Postgres URL, or asks for a server that takes no
                writes. The text does not quote it.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _SCHEMES:
            raise ConfigurationInvalid("the database URL must begin with postgresql://")
        dsn = f"postgresql://{rest}"
        hosts = hosts_of(dsn)
        role = role_of(dsn)
        # Postgres tells its role when it greets, so asking for it costs nothing. A pooler does
        # not, and it would be asked for at each connection: only where there is a choice.
        if role is None and (hosts or pooler is Pooler.NONE):
            role = SessionAttribute.read_write
        return cls(
            dsn=dsn,
            pooler=pooler,
            connect_seconds=connect_seconds,
            statement_seconds=statement_seconds,
            role=role,
            hosts=hosts,
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
        """Open a driver connection, at a host that takes writes if there are several.

        Args:
            session: Settings of the session; left out behind a pooler, which refuses them.

        Raises:
            ConfigurationInvalid: The URL cannot be read.
            Exception: What the driver raises, of `failures.DRIVER_ERRORS`.
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

        async def connect(**where: Any) -> "asyncpg.Connection[asyncpg.Record]":
            return await asyncpg.connect(
                self.dsn,
                **where,
                timeout=self.connect_seconds,
                statement_cache_size=0 if behind_pooler else 100,
                server_settings=server_settings,
                target_session_attrs=self.role,
            )

        async def open_at(place: Place) -> Answer["asyncpg.Connection[asyncpg.Record]"]:
            return await _answer_of(await connect(host=place.host, port=place.port))

        try:
            async with asyncio.timeout(self.connect_seconds):
                return await (self.hosts.open(open_at) if self.hosts else connect())
        except ValueError as error:
            # The driver's text quotes parts of the URL, and a password with an unquoted sign
            # in it lands in such a part.
            raise ConfigurationInvalid(
                "the database URL cannot be read; percent-encode what is special in it"
            ) from _without_text(error)


async def _answer_of(
    raw: "asyncpg.Connection[asyncpg.Record]",
) -> Answer["asyncpg.Connection[asyncpg.Record]"]:
    """Ask one of several hosts how current it is."""
    try:
        row = await raw.fetchrow(_LINEAGE)
    except (asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError):
        row = None  # a hosted Postgres that hides it; such a one does its failover itself
    except BaseException:
        raw.terminate()
        raise
    if row is None:
        return Answer(opened=raw)
    return Answer(opened=raw, cluster=row["cluster"], timeline=int(row["timeline"], 16))


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
        self._hosts = target.hosts
        self._generation = target.hosts.generation
        self._keep_waiting = keep_waiting
        self._statement_seconds = target.statement_seconds
        self._statements: dict[str, PreparedStatement[asyncpg.Record]] = {}
        self._expired = False
        self._unreplicated = False
        raw.add_log_listener(self._warned)
        self._tick_seconds = min(TICK_SECONDS, self._statement_seconds)
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
        """Whether the connection is gone, or leads to a host that is not used any more."""
        return self._raw.is_closed() or self._generation != self._hosts.generation

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement, in a transaction of its own, and return its rows.

        Raises:
            TimeoutError: There was no answer in time; the connection was dropped.
            asyncpg.InterfaceError: It was answered, but not as durably as was asked for; the
                connection was dropped.
            Exception: What the driver raises.
        """
        self._waited = 0.0
        self._timer = self._call_later(self._tick_seconds, self._tick)
        try:
            statement = self._statements.get(sql)
            if statement is None:
                statement = self._statements[sql] = await self._raw.prepare(sql)
            rows = await statement.fetch(*arguments)
            if self._unreplicated:
                self._raw.terminate()
                raise asyncpg.InterfaceError("the wait for the standby was given up")
            return rows  # noqa: TRY300 - an `else` would not see the error just raised
        except asyncio.CancelledError:
            self._raw.terminate()
            self._hosts.doubt()
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

    def _warned(self, _: object, message: asyncpg.PostgresLogMessage) -> None:
        """A commit whose wait for its standby is cancelled succeeds, with a mere warning.

        The text may be in any language; where in the server it was said tells it apart.
        """
        if getattr(message, "server_source_function", None) == STANDBY_WAIT:
            self._unreplicated = True

    def _tick(self) -> None:
        self._waited += self._tick_seconds
        patient = self._waited < self._statement_seconds
        if patient and (self._keep_waiting is None or self._keep_waiting()):
            self._timer = self._call_later(self._tick_seconds, self._tick)
        else:
            self._expired = True
            self._raw.terminate()
            self._hosts.doubt()

    def terminate(self) -> None:
        """Drop the connection at once."""
        self._raw.terminate()

    async def close(self) -> None:
        """Say goodbye to the server; drop the connection if that takes long."""
        if self._raw.is_closed():
            return
        try:
            await self._raw.close(timeout=CLOSE_SECONDS)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._raw.terminate()
