"""What the database knows of objects, for people: reads of committed rows that wake nothing."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from ..core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from .database import Database
from .failures import DRIVER_ERRORS, driver_error_of, translated
from .tables import object_


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """One row of `object`.

    Attributes:
        uuid: The identifying half of the object's id.
        namespace: The class it belongs to.
        name: The name it was first reached by, if it was reached by one.
        worker_id: Who holds it, or None; a dead worker may still stand here.
        epoch: The last epoch it was held under.
        commit_seq: How many commits it has had.
        created_at: When it was first claimed, by the database's clock.
        committed_at: When it last committed, or None.
    """

    uuid: UUID
    namespace: str
    name: str | None
    worker_id: WorkerId | None
    epoch: Epoch
    commit_seq: CommitSeq
    created_at: datetime
    committed_at: datetime | None


class Catalogue:
    """See the module.

    Args:
        database: An open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self) -> dict[str, int]:
        """How many objects each namespace has; reads the whole table.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(object_.c.namespace, func.count()).group_by(object_.c.namespace)
        try:
            async with self._database.engine.connect() as connection:
                found = (await connection.execute(statement)).all()
        except DBAPIError as error:
            raise translated(driver_error_of(error)) from error
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return {row[0]: row[1] for row in found}

    async def find(self, object_id: ObjectId) -> ObjectRecord | None:
        """The row of one object, or None if it never was, or never stored anything.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(object_).where(object_.c.object_id == object_id.uuid)
        try:
            async with self._database.engine.connect() as connection:
                row = (await connection.execute(statement)).mappings().first()
        except DBAPIError as error:
            raise translated(driver_error_of(error)) from error
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        if row is None:
            return None
        return ObjectRecord(
            uuid=row["object_id"],
            namespace=row["namespace"],
            name=row["name"],
            worker_id=row["worker_id"],
            epoch=row["epoch"],
            commit_seq=row["commit_seq"],
            created_at=row["created_at"],
            committed_at=row["committed_at"],
        )
