"""What is done to the keys, sockets, alarms and the past of objects, put together."""

from ..cluster.locator import Locator
from ..cluster.restoring import Restoring
from ..cluster.steering import Steering
from ..core.clock import DatabaseClock
from ..store.alarm_lists import PostgresAlarmLists
from ..store.database import Database
from ..store.history import PostgresObjectHistory
from ..store.object_states import PostgresObjectStates
from ..store.storage import PostgresObjectStore
from ..store.stored_keys import PostgresStoredKeys
from ..web.admin.alarms import AlarmOperations
from ..web.admin.connections import ConnectionOperations
from ..web.admin.history import HistoryOperations
from ..web.admin.known_objects import KnownObjects
from ..web.admin.operation import Operation
from ..web.admin.storage import StorageOperations


def inside_operations(
    database: Database, locator: Locator, steering: Steering, database_clock: DatabaseClock
) -> list[Operation]:
    """The operations of these four areas."""
    objects = KnownObjects(locator, PostgresObjectStates(database))
    store, keys = PostgresObjectStore(database), PostgresStoredKeys(database)
    storage = StorageOperations(
        objects, steering, store=store, keys=keys, database_clock=database_clock
    )
    alarms = AlarmOperations(objects, steering, store=store, lists=PostgresAlarmLists(database))
    connections = ConnectionOperations(objects, steering)
    history = HistoryOperations(
        objects,
        PostgresObjectHistory(database),
        Restoring(steering, locator.namespaces),
        database_clock,
    )
    return [
        *storage.operations(),
        *connections.operations(),
        *alarms.operations(),
        *history.operations(),
    ]
