"""Pages of other origins: closed by default, opened for objects over HTTP by a setting."""

from dataclasses import dataclass

import pytest

from .conftest import StartService
from .running_service import RunningService, ServerKind
from .wire_socket import Answer, WireSocket, exchange, request_text

PAGE = "https://page.example"
ASKING = [
    ("Origin", PAGE),
    ("Access-Control-Request-Method", "PUT"),
    ("Access-Control-Request-Headers", "authorization, x-own"),
]
TOKEN = "a-token-of-enough-characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    port: int

    async def ask(
        self, method: str, target: str, headers: list[tuple[str, str]] | None = None
    ) -> Answer:
        told = [("Origin", PAGE)] if headers is None else headers
        return await exchange(self.port, request_text(method, target, headers=told))


@pytest.fixture(scope="module")
def opened(start_service: StartService) -> RunningService:
    return start_service(
        ServerKind.DIRECT, cors_origins=PAGE, room_access="token", room_token=TOKEN
    )


@pytest.fixture
def page(opened: RunningService) -> Page:
    return Page(port=opened.port)


async def test_a_preflight_is_answered_without_a_token(page: Page, name: str) -> None:
    answer = await page.ask("OPTIONS", f"/objects/counter/{name}", ASKING)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "x-own" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_the_page_may_read_the_answer_also_a_refusal(page: Page, name: str) -> None:
    target = f"/objects/counter/{name}"
    refused = await page.ask("GET", target)
    right = [("Origin", PAGE), ("Authorization", f"Bearer {TOKEN}")]
    answer = await page.ask("GET", target, right)
    assert (refused.status, answer.status) == (401, 200)
    for each in (refused, answer):
        assert each.headers["access-control-allow-origin"] == PAGE
        assert each.headers["access-control-expose-headers"] == "*"


async def test_another_page_may_not(page: Page, name: str) -> None:
    target = f"/objects/counter/{name}"
    other = [("Origin", "https://other.example"), *ASKING[1:]]
    preflight = await page.ask("OPTIONS", target, other)
    answer = await page.ask("GET", target, other[:1])
    assert (preflight.status, answer.status) == (400, 403)
    for each in (preflight, answer):
        assert "access-control-allow-origin" not in each.headers


async def test_nothing_but_objects_over_http_is_opened(page: Page, name: str) -> None:
    for target in ("/admin/v1/me", "/admin/", f"/{name}", "/livez"):
        for method, headers in (("OPTIONS", ASKING), ("GET", ASKING[:1])):
            answer = await page.ask(method, target, headers)
            assert answer.status in {403, 405}, (target, method)
            assert "access-control-allow-origin" not in answer.headers
    headers = [("Origin", PAGE), ("Authorization", f"Bearer {TOKEN}")]
    for target in (f"/{name}", f"/objects/counter/{name}"):
        wire = await WireSocket.open(page.port, target, headers=headers)
        assert wire.status == 403


async def test_a_foreign_host_stays_one(page: Page, name: str) -> None:
    request = request_text(
        "GET", f"/objects/counter/{name}", headers=ASKING[:1], host="evil.example"
    )
    assert (await exchange(page.port, request)).status == 421


async def test_without_the_setting_a_preflight_is_a_request_like_any_other(
    port: int, name: str
) -> None:
    answer = await Page(port=port).ask("OPTIONS", f"/objects/counter/{name}", ASKING)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
