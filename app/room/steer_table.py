"""All that can be done to a live object, by name.

Another thing is a handler in a file of its own (`steering` says how one is written) and a line
here.
"""

from typing import Final

from .steered_activity import ACTIVITY_HANDLERS
from .steered_alarms import ALARM_HANDLERS
from .steered_connections import CONNECTION_HANDLERS
from .steered_history import HISTORY_HANDLERS
from .steered_import import IMPORT_HANDLERS
from .steered_storage import STORAGE_HANDLERS
from .steering import SteerHandler

STEER_HANDLERS: Final[tuple[SteerHandler, ...]] = (
    *ACTIVITY_HANDLERS,
    *STORAGE_HANDLERS,
    *CONNECTION_HANDLERS,
    *ALARM_HANDLERS,
    *IMPORT_HANDLERS,
    *HISTORY_HANDLERS,
)
