"""The settings of a Stateroom process: one frozen value, read once.

This package is the only reader of the environment. Every setting is `STATEROOM_<NAME>`; the
database URL may also stand in plain `DATABASE_URL`. A secret may come from a file instead:
`STATEROOM_<NAME>_FILE` names it, or `STATEROOM_SECRETS_DIR` names a folder with one file a
secret, called like the variable. What the caller passes (command line, tests) wins over the
environment, the environment over files. A `.env` file is not read.

Whatever is wrong is told in one line that names the setting (`ConfigurationInvalid`); the value
of a secret is never part of it.
"""

from .access import RoomAccess
from .children import child_environment
from .loading import load_settings, unknown_variables
from .model import (
    DatabasePooler,
    EngineName,
    LogFormat,
    LogLevel,
    MetricsAccess,
    Settings,
)
from .mounts import TINYBASE_NAMESPACE, NamespaceSpec, RouteSpec

__all__ = [
    "TINYBASE_NAMESPACE",
    "DatabasePooler",
    "EngineName",
    "LogFormat",
    "LogLevel",
    "MetricsAccess",
    "NamespaceSpec",
    "RoomAccess",
    "RouteSpec",
    "Settings",
    "child_environment",
    "load_settings",
    "unknown_variables",
]
