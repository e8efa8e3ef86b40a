"""Rooms in Postgres, without a service: replicas stored as a room stores its own."""

from typing import Any
from uuid import UUID

from app.core.storage_codec import encode_value
from app.tinybase.replica import Replica
from tests.unit.tinybase.replicas import Disk


async def store_room(connection: Any, object_id: UUID, name: str, replica: Replica) -> Replica:
    """Store a replica; return what a room would load."""
    disk = Disk()
    disk.write(replica.stored())
    await connection.execute(
        "insert into object (object_id, namespace, name, epoch) values ($1, 'tinybase', $2, 1)",
        object_id,
        name,
    )
    await connection.executemany(
        "insert into object_row (object_id, key, value) values ($1, $2, $3)",
        [(object_id, key.encode(), encode_value(each)) for key, each in disk.content.items()],
    )
    return disk.loaded()
