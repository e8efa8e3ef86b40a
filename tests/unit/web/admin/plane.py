"""The admin plane over the twins, without a server: what the tests of its frame drive."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import httpx

from app.core.admin import Role
from app.core.admin_tokens import TokenText
from app.core.tasks import TaskOwner
from app.testing.clock import FakeClock
from app.testing.memory import MemoryDatabase
from app.testing.memory_admin import MemoryAdminTokens, MemoryAuditTrail, MemoryRepeats
from app.web.access import AccessPolicy
from app.web.admin.audit import AuditOperations
from app.web.admin.changes import Changes
from app.web.admin.credentials import Gatekeeper
from app.web.admin.endpoint import AdminEndpoint
from app.web.admin.me import MeOperations
from app.web.admin.operation import Operation
from app.web.admin.tokens import TokenOperations

SETTINGS_TOKEN = "the-token-of-the-settings"


class Plane:
    """Everything of the plane that a test may want to reach into."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.tokens = MemoryAdminTokens(self.database)
        self.trail = MemoryAuditTrail(self.database)
        self.repeats = MemoryRepeats(self.database)
        self.tasks = TaskOwner("plane")
        self.endpoint = AdminEndpoint(
            [
                *MeOperations("1").operations(),
                *TokenOperations(self.tokens).operations(),
                *AuditOperations(self.trail).operations(),
                *operations,
            ],
            pages={},
            access=AccessPolicy(),
            gatekeeper=Gatekeeper(
                self.clock,
                self.tokens,
                now_ms=self.database.now_ms,
                admin_token=SETTINGS_TOKEN,
            ),
            changes=Changes(self.trail, self.repeats),
            now_ms=self.database.now_ms,
            tasks=self.tasks,
            body_bytes=1_000,
            streamed_body_bytes=10_000,
        )
        self.client: httpx.AsyncClient

    async def token(self, role: Role) -> str:
        """A token of a role, made in the store."""
        text = TokenText.new()
        name = f"{role}-{text.token_id}"
        assert await self.tokens.add(text, name=name, role=role, by="tests", expires_at=None)
        return str(text)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = SETTINGS_TOKEN,
        json: object = None,
        content: bytes | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request below `/admin/v1`."""
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        if key is not None:
            sent["idempotency-key"] = key
        if json is not None:
            return await self.client.request(method, f"/admin/v1{path}", json=json, headers=sent)
        return await self.client.request(method, f"/admin/v1{path}", content=content, headers=sent)

    async def audit(self) -> list[tuple[str, str, int | None, str]]:
        """The audit, the oldest first: caller, operation, status, code."""
        answer = await self.ask("GET", "/audit")
        return [
            (each["caller"], each["operation"], each["status"], each["code"])
            for each in reversed(answer.json()["items"])
        ]


@asynccontextmanager
async def plane_of(*operations: Operation) -> AsyncIterator[Plane]:
    """A plane with further operations."""
    plane = Plane(operations)
    transport = httpx.ASGITransport(plane.endpoint)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        plane.client = client
        try:
            yield plane
        finally:
            await plane.tasks.close()
