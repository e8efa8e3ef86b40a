"""Two whole services on one database, for tests of alarms."""

from typing import Any

from app.core.ids import ObjectId
from app.sdk import Request
from app.store.database import Database
from app.wiring import Service
from tests.interop.wire_json import loads


class Pair:
    """Two services on one database."""

    def __init__(self, first: Service, second: Service, database: Database) -> None:
        self.first = first
        self.second = second
        self.database = database

    def object_id(self, name: str) -> ObjectId:
        return self.database.object_ids.from_name("alarmed", name)

    async def set(self, service: Service, name: str, *, in_ms: int, path: str = "/") -> Any:
        request = Request(method="POST", path=path, body=b"%d" % in_ms)
        return await self.ask(service, name, request)

    async def ask(self, service: Service, name: str, request: Request | None = None) -> Any:
        assert service.locator is not None
        response, _ = await service.locator.request(self.object_id(name), request or Request())
        assert isinstance(response.body, bytes)
        return loads(response.body)

    async def alarms(self) -> int:
        (row,) = await self.database.fetch("select count(*) as count from object_alarm")
        return int(row["count"])

    async def no_alarms(self) -> bool:
        return await self.alarms() == 0

    async def holder(self, name: str) -> Any:
        rows = await self.database.fetch(
            "select worker_id from object where object_id = $1", self.object_id(name).uuid
        )
        return rows[0]["worker_id"]


async def quiet(service: Service) -> None:
    """Let a service claim no alarms any more."""
    assert service._alarms is not None
    await service._alarms.close()
