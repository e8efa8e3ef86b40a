"""Every setting, with its default, its bounds and its meaning (the docstring below it).

docs/reference/settings.md is generated from this file.
"""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
)
from pydantic import model_validator as validator_of_all
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ..core.errors import ConfigurationInvalid
from ..core.limits import CALL_BYTES, MOST_GRACE_SECONDS, NAME_BYTES
from .access import AccessSettings, RoomAccess
from .limits import LimitSettings
from .mounts import (
    EVERYTHING_IS_TINYBASE,
    NamespaceSpec,
    RouteSpec,
    parse_namespaces,
    parse_routes,
    split_words,
)
from .sources import DATABASE_URL_VARIABLES, PREFIX, SecretFiles
from .tracing import TracingSettings
from .usage import UsageSettings
from .words import networks, plain_segments

TOKEN_CHARACTERS = 16
_SERVER = re.compile(r"https?://[^/?#\s]+/?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s,*]+")


class MetricsAccess(StrEnum):
    """Who may read the metrics."""

    OPEN = "open"
    TOKEN = "token"  # noqa: S105 - the name of a mode, no secret


class DatabasePooler(StrEnum):
    """What stands between a worker and Postgres."""

    NONE = "none"
    TRANSACTION = "transaction"


class EngineName(StrEnum):
    """Which code speaks the WebSocket protocol."""

    PICOWS = "picows"
    UVICORN = "uvicorn"


class LogLevel(StrEnum):
    """The least severe log line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


def _are_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            problem = f"{origin!r} is no origin: http://host:port or https://host, or *"
            raise ValueError(problem)
    return value


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
_LAST_PORT = 65_535
Count = Annotated[int, Field(ge=1)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)]
Origins = Annotated[Words, AfterValidator(_are_origins)]
Segments = Annotated[Words, AfterValidator(plain_segments)]
Networks = Annotated[Words, AfterValidator(networks)]
Namespaces = Annotated[tuple[NamespaceSpec, ...], NoDecode, BeforeValidator(parse_namespaces)]
Routes = Annotated[tuple[RouteSpec, ...], NoDecode, BeforeValidator(parse_routes)]


class Settings(LimitSettings, UsageSettings, AccessSettings, TracingSettings):
    """Everything an operator may decide, checked and frozen.

    Made by `load_settings`, which tells what is wrong in one line. Values given to the
    constructor win over the environment.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs `room_access` to be decided."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """TCP port to listen on; 0 takes a free one, which the ready line tells."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Worker processes on this machine. With more than one a supervisor looks after them."""
    shutdown_seconds: Seconds = 20.0
    """How long a stop may take to finish events and commit, before it is forced."""

    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices(*DATABASE_URL_VARIABLES)
    )
    """Postgres 15 to 18: `postgresql://user:password@host:port/name`, with several hosts after one
    another (`h1:5432,h2:5432`) for a failover. Unset: an embedded one."""
    database_pooler: DatabasePooler = DatabasePooler.NONE
    """`transaction` when the URL leads to PgBouncer in transaction mode."""
    database_connections: Annotated[int, Field(ge=2, le=100)] = 6
    """Most connections that a worker opens to Postgres, besides two for commits and one for its
    lease."""
    database_connect_seconds: Seconds = 10.0
    """How long a start waits for the database before it gives up."""
    data_dir: Path = Path(".stateroom")
    """Folder of the embedded Postgres and of the node's own files."""
    postgres_bin: Path | None = None
    """Folder with `postgres` and `initdb` to use in place of those in the wheel."""

    namespaces: Namespaces = ()
    """Mounted classes: `name=module:Class?option=value&...,name2=...`."""
    routes: Routes = EVERYTHING_IS_TINYBASE
    """Which rooms belong to which namespace: `pattern=namespace,...`; the first match wins."""
    reserved_segments: Segments = (
        "objects",
        "admin",
        "internal",
        "livez",
        "readyz",
        "metrics",
        "demo",
    )
    """First path segments that are never rooms."""

    internal_host: str = "127.0.0.1"
    """Address on which this worker's links from other workers are accepted."""
    internal_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port for links (slot 0; further workers take the next ones); 0 takes a free one."""
    internal_address: str = ""
    """What other workers are told to dial: host, or host:port (of slot 0, counted on by slot).

    Empty: where this worker listens; if that is every address, the one that faces the database.
    """
    handoff: bool = True
    """A socket that another worker of this machine should serve is handed to it, before its
    handshake. Off, or where the system cannot: a link serves it, as it does between machines."""

    allowed_hosts: Words = ()
    """Accepted Host names (`*.example.org` too). Empty: loopback names on loopback, else any."""
    allowed_origins: Words = ()
    """Accepted browser origins (`*` for any). Empty: the own host, and loopback on loopback."""
    trusted_proxies: Networks = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` tells the client's address."""

    cors_origins: Origins = ()
    """Browser origins whose pages may call `/objects/...` by HTTP and read the answers (CORS; `*`
    for any). Empty: none. Cookies are not sent along; a token is, in `Authorization`. Sockets go by
    `allowed_origins`, and `/admin` is never open to other pages."""

    admin_token: SecretStr | None = None
    """A token of the role admin for `/admin`, beside those in the database. Unset: a start makes
    one in the data directory and prints a link to sign in with."""

    admin_audit_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    """How long the record of a change that was made by the admin plane is kept."""

    metrics_access: MetricsAccess | None = None
    """Who may read `/metrics`: `open` to whoever reaches it, or `token`. Unset: a token is needed,
    but for requests of this machine itself to a server that listens on loopback."""
    metrics_token: SecretStr | None = None
    """A token that reads `/metrics` and nothing else, without asking the database. Every token of
    the admin plane does too."""

    lease_seconds: Seconds = 3.0
    """How long a worker may speak for its rooms without renewing its lease."""
    renew_seconds: Seconds = 1.0
    """How often the lease is renewed; at most half of `lease_seconds`."""
    delete_grace_seconds: Annotated[float, Field(ge=0, le=MOST_GRACE_SECONDS)] = 604_800.0
    """How long a deleted object can be undeleted, unless its deletion says otherwise; then all
    that it stored is removed. 0: at once."""
    idle_seconds: Seconds = 10.0
    """A room without events for this long drops its instance and keeps its sockets."""
    evict_seconds: Seconds = 60.0
    """A room without sockets and without events for this long is released."""
    max_rooms: Count = 100_000
    """Most rooms that a worker holds; one more is refused as overload."""
    drain_rooms_per_second: Annotated[float, Field(gt=0)] = 200.0
    """How many rooms begin to leave a draining worker per second; a stop takes more if it must."""
    event_timeout_seconds: Seconds = 30.0
    """Longest time that one event of an object may take."""

    history_seconds: Annotated[float, Field(ge=0, le=366 * 86_400, allow_inf_nan=False)] = 604_800.0
    """How long what a commit replaced is kept, so that objects can be restored; 0: nothing is.
    The option `history=off` of a namespace keeps nothing of its objects."""
    history_bytes: Count = 256 << 20
    """Most that is kept so of one object, its last commit aside; the oldest goes first."""

    mailbox_events: Count = 1_000
    """Most events that wait for one room; beyond it, its sockets are not read."""
    mailbox_bytes: Count = 32 << 20
    """Most bytes of events that wait for one room; beyond it, its sockets are not read."""
    queue_seconds: Seconds = 120.0
    """Longest time that a message, request or call waits for its turn; then it is refused."""
    requests_per_10_seconds: Count | None = None
    """Most requests and calls that one room takes within ten seconds. Unset: any number."""
    outbox_bytes: Count = 16 << 20
    """Most bytes that wait for one slow reader; beyond it, the reader is closed with 1013."""
    max_frame_bytes: Annotated[int, Field(ge=1, le=CALL_BYTES)] = 20 << 20
    """Largest WebSocket message that is read; a larger one closes with 1009. At most 31.9 MiB."""
    head_seconds: Seconds = 10.0
    """How long a client may take to send the head of a request, from its connection on, or from
    the first byte of a further request; then it is answered with 408, or dropped in silence."""
    head_bytes: Annotated[int, Field(ge=4_096, le=1 << 20)] = 1 << 16
    """Largest head of a request, a WebSocket's too; a larger one is answered with 431, or 414."""
    max_streamed_body_bytes: Count = 1 << 30
    """Largest body of a request that its object reads as a stream; else `max_frame_bytes`."""
    socket_ping_seconds: Seconds = 20.0
    """How often every WebSocket is pinged; it wakes no object."""
    socket_pong_seconds: Seconds = 20.0
    """A client that is silent this long after a ping is taken for gone; its socket is dropped."""
    socket_engine: EngineName = EngineName.PICOWS
    """What carries WebSockets: `picows`, the fast one, or `uvicorn`, the server's own."""
    socket_deflate: bool = False
    """Offer permessage-deflate. It saves bandwidth and costs CPU and memory for each socket;
    `picows` has none, so this selects `uvicorn`."""
    max_connections: Count = 32_768
    """Most connections of one room."""
    name_bytes: Annotated[int, Field(ge=1, le=NAME_BYTES)] = NAME_BYTES
    """Longest object name; a longer one is refused before the handshake."""

    relaxed_loss_ms: Count = 1_000
    """With `durability=relaxed`: how far behind, in milliseconds, the commits may be. One is asked
    for after a quarter of it, or of the bytes below."""
    relaxed_loss_bytes: Count = 1 << 20
    """With `durability=relaxed`: how many bytes of one room may wait for their commit."""

    server: str = ""
    """Which server the commands that steer one speak to: `https://host:port`. Empty: the one that
    `host` and `port` name."""

    log_level: LogLevel = LogLevel.INFO
    """Least severe log line that is written."""
    log_format: LogFormat | None = None
    """`json` or `console`. Unset: console on a terminal, else JSON."""

    @field_validator("database_url")
    @classmethod
    def _postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(
            ("postgresql://", "postgres://", "postgresql+asyncpg://")
        ):
            problem = "it must begin with postgresql://"
            raise ValueError(problem)
        return value

    @field_validator("room_token", "admin_token", "metrics_token")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < TOKEN_CHARACTERS:
            problem = f"it has less than {TOKEN_CHARACTERS} characters"
            raise ValueError(problem)
        return value

    @field_validator("server")
    @classmethod
    def _server_url(cls, value: str) -> str:
        if value and not _SERVER.fullmatch(value):
            problem = "it must be http://host:port or https://host, with nothing behind it"
            raise ValueError(problem)
        return value

    @validator_of_all(mode="after")
    def _agree(self) -> Self:
        if self.renew_seconds > self.lease_seconds / 2:
            problem = "STATEROOM_RENEW_SECONDS: it must be at most half of STATEROOM_LEASE_SECONDS"
            raise ValueError(problem)
        if self.internal_port and self.internal_port + self.workers - 1 > _LAST_PORT:
            problem = "STATEROOM_INTERNAL_PORT: there is no such port for each of the workers"
            raise ValueError(problem)
        if (wrong := self.access_problem()) is not None:
            raise ValueError(wrong)
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether `host` can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def effective_room_access(self) -> RoomAccess:
        """Return who may open a room of a server that listens on `host`.

        Raises:
            ConfigurationInvalid: The address is public and `room_access` is unset.
        """
        if self.room_access is not None:
            return self.room_access
        if self.on_loopback:
            return RoomAccess.OPEN
        detail = f"STATEROOM_ROOM_ACCESS: it is unset and {self.host} is not a loopback address"
        remedy = (
            "Set it to token (with STATEROOM_ROOM_TOKEN), or jwt, or to open if whoever reaches "
            "this address may read and write every room."
        )
        raise ConfigurationInvalid(detail, remedy=remedy)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: the caller, the environment, files."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretFiles(settings_cls)
