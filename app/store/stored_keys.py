"""The keys of an object: the Postgres side of `core.stored_keys`.

Of a value only the length and the first bytes are read: values lie uncompressed, so Postgres need
not touch the rest of a large one.
"""

from typing import Final

from ..core.ids import ObjectId
from ..core.storage_codec import FORM_BYTES
from ..core.stored_keys import StoredKey
from ..core.values import KeyRange
from .database import Database

# $1 object, $2 start, $3 end, $4 rows
_KEYS: Final = f"""
select key, octet_length(value) as size, substring(value from 1 for {FORM_BYTES}) as form
from object_row
where object_id = $1 {{bounds}} order by key {{order}} limit $4
"""  # noqa: S608 - no value in it


def keys_statement(wanted: KeyRange) -> str:
    """The statement for a range; only the bounds that are set stand in it, so it is indexed."""
    low = "and key >= $2" if wanted.start is not None else "and $2::bytea is null"
    high = "and key < $3" if wanted.end is not None else "and $3::bytea is null"
    return _KEYS.format(bounds=f"{low} {high}", order="desc" if wanted.reverse else "asc")


class PostgresStoredKeys:
    """See the module and `StoredKeys`. Cancelling is safe.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys(self, object_id: ObjectId, wanted: KeyRange) -> list[StoredKey]:
        """See `StoredKeys.keys`."""
        rows = await self._database.fetch(
            keys_statement(wanted), object_id.uuid, wanted.start, wanted.end, wanted.limit
        )
        return [StoredKey.from_row(row["key"], row["size"], row["form"]) for row in rows]
