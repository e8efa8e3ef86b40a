"""A room with readers and rules: `?role=read` makes a reader, `forbidden` is no value of a cell."""

from stateroom import Connection, Request
from stateroom.tinybase import Allow, Amend, ProposedChange, Refuse, TinyBaseRoom


class GuardedRoom(TinyBaseRoom):
    """What says `forbidden` is refused, `long` becomes `short`, the table `own` is nobody's."""

    async def on_connect(self, connection: Connection, request: Request) -> None:
        if "role=read" in request.query:
            connection.tag("reader")
        super().on_connect(connection, request)

    def may_write(self, connection: Connection) -> bool:
        return "reader" not in connection.tags

    def authorize_table(self, connection: Connection, table_id: str) -> Allow | Refuse:
        del connection
        return Refuse("own") if table_id == "own" else Allow()

    def authorize_change(
        self, connection: Connection, change: ProposedChange
    ) -> Allow | Refuse | Amend:
        del connection
        if change.new == "long":
            return Amend("short")
        return Refuse("forbidden") if change.new == "forbidden" else Allow()
