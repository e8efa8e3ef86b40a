"""Read by the type checker alone: what an author of TinyBase rooms may write."""

from collections.abc import Mapping
from typing import Any

from stateroom import AlarmInfo, Connection, Request, Response
from stateroom.tinybase import Changes, RowChange, StoreTransaction, TinyBaseRoom, ValueChange


class Everything(TinyBaseRoom):
    """Every hook, and what may be done in it."""

    async def on_start(self) -> None:
        await super().on_start()
        self.words: set[str] = await self.ctx.storage.get("words", set())

    async def on_connect(self, connection: Connection, request: Request) -> None:
        connection.attachment = {"role": request.query}
        super().on_connect(connection, request)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if (taking := super().on_message(connection, message)) is not None:
            await taking

    async def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        super().on_close(connection, code, reason, clean)
        await self.ctx.storage.put("last", connection.id)

    async def seed(self) -> None:
        self.set_content({"pets": {"fido": {"age": 3}}}, {"open": True})

    def on_changes(self, changes: Changes) -> None:
        client = self.get_client(changes.client_id) if changes.client_id is not None else None
        rows: list[RowChange] = changes.in_table("pets", "age")
        for row in rows:
            before: Mapping[str, Any] = row.old
            if row.added or row.deleted or "age" in row.cell_ids:
                self.ctx.log("changed", table=row.table_id, row=row.row_id, cells=len(before))
        values: tuple[ValueChange, ...] = changes.values
        if client is not None and any(each.added or each.deleted for each in values):
            client.close(4001, "no values")

    async def on_alarm(self, info: AlarmInfo) -> None:
        with self.transaction() as transaction:
            opened: StoreTransaction = transaction
            row_id: str = self.add_row("alarms", {"at": info.scheduled_for})
            self.set_cell("alarms", row_id, "count", lambda count: (count or 0) + 1)
            if self.get_row_count("alarms") > 3:
                opened.rollback()

    async def on_request(self, request: Request) -> Response:
        names: list[str] = self.get_sorted_row_ids("pets", "age", descending=True, limit=3)
        present: bool = self.has_row("pets", "fido") and self.has_value("open")
        pets = {row_id: row for row_id, row in self.each_row("pets") if row.get("age", 0) > 1}
        return Response.json({"names": names, "present": present, "pets": pets})

    async def oldest(self) -> str | None:
        return next(iter(self.get_sorted_row_ids("pets", "age", descending=True)), None)


class Wrong(TinyBaseRoom):
    """What the type checker must refuse."""

    async def on_changes(self, changes: Changes) -> None:  # type: ignore[override]  # a plain function
        changes.client_id = None  # type: ignore[misc]  # it is a value
        self.set_cell("pets", "fido", 3, "dog")  # type: ignore[arg-type]  # an id is text
        self.set_row("pets", "fido", ["dog"])  # type: ignore[arg-type]  # cells have ids
        self.get_client(changes.client_id)  # type: ignore[arg-type]  # the server is no client
