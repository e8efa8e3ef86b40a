"""What is done to the keys, sockets and alarms of objects, put together."""

from ..cluster.locator import Locator
from ..cluster.steering import Steering
from ..core.clock import DatabaseClock
from ..store.alarm_lists import PostgresAlarmLists
from ..store.database import Database
from ..store.object_states import PostgresObjectStates
from ..store.storage import PostgresObjectStore
from ..store.stored_keys import PostgresStoredKeys
from ..web.admin.alarms import AlarmOperations
from ..web.admin.connections import ConnectionOperations
from ..web.admin.known_objects import KnownObjects
from ..web.admin.operation import Operation
from ..web.admin.storage import StorageOperations


def inside_operations(
    database: Database, locator: Locator, steering: Steering, database_clock: DatabaseClock
) -> list[Operation]:
    """The operations of these three areas."""
    objects = KnownObjects(locator, PostgresObjectStates(database))
    store, keys = PostgresObjectStore(database), PostgresStoredKeys(database)
    storage = StorageOperations(
        objects, steering, store=store, keys=keys, database_clock=database_clock
    )
    alarms = AlarmOperations(objects, steering, store=store, lists=PostgresAlarmLists(database))
    connections = ConnectionOperations(objects, steering)
    return [*storage.operations(), *connections.operations(), *alarms.operations()]
