"""Structured logs: one JSON object a line, or coloured text on a terminal, on standard error.

Everything below logs through `structlog.get_logger`; this module only configures. A line is a
constant event name and fields (`namespace`, `object`, `worker`, `epoch`, `connection`; bind them
with `structlog.contextvars`). Libraries that log by the standard library get the same form.

Secrets do not reach a log: fields with a secret's name are replaced, credentials inside URLs are
cut out of every text. What clients sent is never logged by us, and a traceback that a client can
cause at will (bad UTF-8 in a frame, for one) is reduced to one line.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import orjson  # the log renderer is no wire format, so not app.core.codec
import structlog

SECRET_KEYS = frozenset(
    {
        "authorization",
        "cookie",
        "credential",
        "database_url",
        "dsn",
        "frame",
        "headers",
        "message",
        "password",
        "payload",
        "room_token",
        "secret",
        "token",
    }
)
REDACTED = "[redacted]"

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY_SECRETS = re.compile(r"(?i)((?:token|password|secret)=)[^&\s\"']+")
# Loggers whose tracebacks clients can cause at will.
_CLIENT_DRIVEN_LOGGERS = ("uvicorn.error", "websockets.server", "websockets")
# Loggers that say at INFO what our own lines say better.
_CHATTY_LOGGERS = ("alembic", "asyncio", "sqlalchemy", "uvicorn.error", "uvicorn.access")

# What uvicorn says, at ERROR, of every connection that we turn away before the handshake, and of
# every streamed response that we break off; whoever did that has logged why.
_OUR_DOING = frozenset(
    {
        "ASGI callable returned without completing handshake.",
        "ASGI callable returned without completing response.",
    }
)

Event = MutableMapping[str, Any]

_SEVERITIES = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
}


class _Thresholds:
    """The least severe line that is written: of a namespace of objects, or of anything else.

    A line is a namespace's when it has a field of that name. It is a processor of structlog.
    """

    def __init__(self) -> None:
        self._general: int | None = None  # None: an application that has us inside decides
        self._of: dict[str, int] = {}

    def set_general(self, threshold: int) -> None:
        """Decide for everything that has no threshold of its own."""
        self._general = threshold
        self._open_root()

    def set_namespaces(self, levels: Mapping[str, str]) -> None:
        """Decide for these namespaces, and for no others."""
        names = logging.getLevelNamesMapping()
        self._of = {namespace: names[level.upper()] for namespace, level in levels.items()}
        self._open_root()

    def __call__(self, _logger: object, method: str, event: Event) -> Event:
        threshold = self._of.get(str(event.get("namespace")), self._general)
        if threshold is not None and _SEVERITIES.get(method, logging.CRITICAL) < threshold:
            raise structlog.DropEvent
        return event

    def passes(self, record: logging.LogRecord) -> bool:
        """Whether a line of a library may pass; ours have been asked already."""
        ours = hasattr(record, "_from_structlog") or isinstance(record.msg, dict)
        return ours or self._general is None or record.levelno >= self._general

    def _open_root(self) -> None:
        """Let the root logger pass what any of them wants."""
        if self._general is not None:
            logging.getLogger().setLevel(min([self._general, *self._of.values()]))


_thresholds = _Thresholds()


def set_namespace_levels(levels: Mapping[str, str]) -> None:
    """Let lines of these namespaces be written from these levels on, all others as configured.

    Inside an application of somebody else's a namespace can be made quieter and not louder.

    Args:
        levels: Namespace to debug, info, warning or error.
    """
    _thresholds.set_namespaces(levels)


def configure_logs(
    *, level: str = "info", form: str | None = None, stream: TextIO | None = None
) -> None:
    """Send every log line of the process to one place; may be called again.

    Args:
        level: The least severe line that is written: debug, info, warning or error.
        form: json or console; None means console on a terminal, else JSON.
        stream: Where to; standard error unless told.
    """
    out = stream if stream is not None else sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form is None and out.isatty())
    shared = _shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _thresholds,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_without_client_traceback, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(console=console, colors=out.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    handler.addFilter(_thresholds.passes)
    root.handlers[:] = [handler]
    _thresholds.set_general(threshold)
    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.getLogger("uvicorn.error").addFilter(_says_something)


def hand_to_standard_library() -> None:
    """Give our lines to the `logging` of an application that has us inside; it decides the rest.

    Nothing is done when structlog is configured already. Left to itself it would print the local
    variables of every frame of a traceback: secrets, payloads, and half of the worker.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _thresholds,
            *_shared_processors(),
            *_renderers(console=False, colors=False),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Replace secrets by a mark: fields by their name, credentials of URLs in any text."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def _says_something(record: logging.LogRecord) -> bool:
    return record.msg not in _OUR_DOING


def _redacted(key: str, value: object) -> object:
    if key.lower() in SECRET_KEYS:
        return REDACTED
    if isinstance(value, str):
        return _QUERY_SECRETS.sub(rf"\1{REDACTED}", _CREDENTIALS.sub(f"{REDACTED}@", value))
    if isinstance(value, Mapping):
        return {name: _redacted(str(name), item) for name, item in value.items()}
    if isinstance(value, bytes):
        return f"{len(value)} bytes"  # bytes in a log are payload by nature
    return value


def _shared_processors() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]


def _renderers(*, console: bool, colors: bool) -> list[structlog.typing.Processor]:
    if console:
        plain = (
            structlog.dev.plain_traceback
        )  # rich ones show locals, and take minutes for long texts
        return [redact, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        redact,  # after the exception became text
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _without_client_traceback(_logger: object, _method: str, event: Event) -> Event:
    record = event.get("_record")
    if record is not None and record.name in _CLIENT_DRIVEN_LOGGERS and event.get("exc_info"):
        kind = event.pop("exc_info")
        if isinstance(kind, tuple) and kind[0] is not None:
            event["error"] = kind[0].__name__
        record.exc_info = record.exc_text = None
    return event


def _dumps(event: object, **_options: object) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
