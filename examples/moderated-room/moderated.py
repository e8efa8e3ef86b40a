"""A chat room that masks words and keeps count, whoever its clients are."""

import re
from typing import Any

from stateroom import AlarmInfo, Request, Response
from stateroom.tinybase import Changes, RowChange, TinyBaseRoom

RUDE = re.compile(r"\b(damn|blast)\b", re.IGNORECASE)
DAY_MS = 24 * 60 * 60 * 1000


class ModeratedRoom(TinyBaseRoom):
    async def on_start(self) -> None:
        await super().on_start()
        self.clean_up_is_set = await self.ctx.storage.get_alarm() is not None

    def seed(self) -> None:
        self.set_value("topic", "anything, politely")

    # -- what clients write, and what is written below ------------------------------------------

    def on_changes(self, changes: Changes) -> None:
        if changes.client_id is not None:
            self.put_back(changes.in_table("authors"))
        for row in changes.in_table("messages", "text"):
            text = row.new.get("text")
            if isinstance(text, str) and RUDE.search(text):
                masked = RUDE.sub(lambda word: "*" * len(word[0]), text)
                self.set_cell("messages", row.row_id, "text", masked)
        for row in changes.in_table("messages", "author"):
            self.count(row.old.get("author"), -1)
            self.count(row.new.get("author"), +1)
        for row in changes.in_table("messages"):
            if row.added:
                self.set_cell("messages", row.row_id, "at", self.ctx.now())
                self.plan_clean_up()

    def put_back(self, rows: list[RowChange]) -> None:
        for row in rows:
            if row.added:
                self.del_row(row.table_id, row.row_id)
            else:
                self.set_row(row.table_id, row.row_id, row.old)

    def count(self, author: Any, step: int) -> None:
        if isinstance(author, str):
            self.set_cell("authors", author, "messages", lambda count: (count or 0) + step)

    # -- called by other objects and over HTTP --------------------------------------------------

    async def post(self, author: str, text: str) -> str:
        return self.add_row("messages", {"author": author, "text": text})

    async def report(self) -> dict[str, int]:
        return {author: row["messages"] for author, row in self.each_row("authors")}

    async def on_request(self, request: Request) -> Response:
        if request.path == "/report":
            return Response.json(await self.report())
        if request.path == "/post" and request.method == "POST":
            row_id = await self.post("the house", request.body.decode())
            return Response.json({"row_id": row_id}, status=201)
        return Response(status=404)

    # -- once a day, also when nobody is there --------------------------------------------------

    def plan_clean_up(self) -> None:
        if not self.clean_up_is_set:
            self.clean_up_is_set = True
            self.ctx.storage.set_alarm(self.ctx.now() + DAY_MS)

    async def on_alarm(self, info: AlarmInfo) -> None:
        self.clean_up_is_set = False
        with self.transaction():
            for row_id in self.get_row_ids("messages"):
                at = self.get_cell("messages", row_id, "at")
                if not isinstance(at, int) or at <= info.scheduled_for - DAY_MS:
                    self.del_row("messages", row_id)
        if self.has_table("messages"):
            self.plan_clean_up()

    def on_evict(self, reason: str) -> None:
        self.ctx.log("room rests", reason=reason, messages=self.get_row_count("messages"))
