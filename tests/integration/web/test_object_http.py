"""Objects over HTTP: `on_request`, receipts, bounds and faults."""

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from app.core.codec import parse_json

from .wire_socket import Answer, WireSocket, exchange, request_text

LARGEST_BODY = 1 << 20


async def ask(port: int, target: str, method: str = "GET", body: bytes = b"") -> Answer:
    request = request_text(method, target, body=body)
    return await exchange(port, request, bodiless=method == "HEAD")


async def test_an_object_answers_with_a_receipt(port: int, name: str) -> None:
    target = f"/objects/counter/{name}/some/where%2F?a=%20b&c"
    first, second = await ask(port, target), await ask(port, target, "POST", b"12345")
    assert first.status == second.status == 200
    shown = parse_json(second.body)
    assert shown == {
        "count": 2,
        "name": name,
        "method": "POST",
        "path": "/some/where%2F",
        "query": "a=%20b&c",
        "bytes": 5,
        "twice": "",
    }
    receipts = [answer.headers["stateroom-receipt"].split() for answer in (first, second)]
    assert receipts[0] != receipts[1]
    assert all(receipts)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_reaches_the_object(port: int, name: str, method: str) -> None:
    answer = await ask(port, f"/objects/counter/{name}", method)
    assert (answer.status, parse_json(answer.body)["method"]) == (200, method)


async def test_head_has_no_body(port: int, name: str) -> None:
    wire = await WireSocket.dial(port)
    await wire.send(request_text("HEAD", f"/objects/counter/{name}"))
    everything = await wire.ended()
    assert everything.startswith(b"HTTP/1.1 200")
    assert everything.endswith(b"\r\n\r\n")
    await wire.close()


async def test_an_empty_answer_stays_empty(port: int, name: str) -> None:
    answer = await exchange(
        port, request_text("GET", f"/objects/counter/{name}/empty"), bodiless=True
    )
    assert answer.status == 204


async def test_names_are_decoded(port: int, name: str) -> None:
    answer = await ask(port, f"/objects/counter/{name}%2F%C3%A9%0A")
    assert parse_json(answer.body)["name"] == f"{name}/é\n"


async def test_a_request_has_one_id_for_its_object_its_client_and_the_log(
    port: int, name: str
) -> None:
    target = f"/objects/counter/{name}/id"
    told = request_text("GET", target, headers=[("X-Request-Id", "checkout-7.a_B")])
    answer = await exchange(port, told)
    assert answer.body == b"checkout-7.a_B"
    assert answer.headers["x-request-id"] == "checkout-7.a_B"
    made = await ask(port, target)
    assert re.fullmatch(r"[0-9a-f]{32}", made.body.decode())
    assert made.headers["x-request-id"] == made.body.decode()


@pytest.mark.parametrize("told", ["x" * 65, "a b", "é", 'a";b', ""])
async def test_an_id_that_is_not_short_and_plain_is_replaced(
    port: int, name: str, told: str
) -> None:
    target = f"/objects/counter/{name}/id"
    answer = await exchange(port, request_text("GET", target, headers=[("X-Request-Id", told)]))
    assert re.fullmatch(rb"[0-9a-f]{32}", answer.body)


async def test_a_request_that_fails_is_logged_under_the_id_that_its_client_has(
    port: int, name: str
) -> None:
    target = f"/objects/counter/{name}/raise?token=not-for-the-log"
    with capture_logs() as lines:
        answer = await ask(port, target)
    assert answer.status == 500
    (line,) = [line for line in lines if line.get("request") == answer.headers["x-request-id"]]
    assert (line["event"], line["code"]) == ("request_failed", "object_fault")
    assert name in line["path"]
    assert "not-for-the-log" not in str(lines)


async def test_repeated_headers_are_joined(port: int, name: str) -> None:
    headers = [("X-Twice", "a"), ("X-Twice", "b")]
    request = request_text("GET", f"/objects/counter/{name}", headers=headers)
    assert parse_json((await exchange(port, request)).body)["twice"] == "a, b"


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/objects", 404, "not_found"),
        ("/objects/", 404, "not_found"),
        ("/objects/counter", 404, "not_found"),
        ("/objects/counter/", 404, "not_found"),
        ("/objects/nothing/x", 404, "not_found"),
        ("/objects//x", 404, "not_found"),
        ("/objects/counter/%FF", 400, "id_invalid"),
        ("/objects/counter/" + "n" * 1025, 400, "id_invalid"),
        ("/admin/nowhere", 404, "not_found"),
        ("/internal/x", 404, "not_found"),
    ],
)
async def test_wrong_addresses(port: int, target: str, status: int, code: str) -> None:
    answer = await ask(port, target)
    assert (answer.status, parse_json(answer.body)["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_each_cookie_is_a_header_of_its_own(port: int, name: str) -> None:
    wire = await WireSocket.dial(port)
    wire.write(request_text("GET", f"/objects/counter/{name}/cookies"))
    lines = (await wire.ended()).split(b"\r\n\r\n")[0].lower().split(b"\r\n")
    cookies = [line for line in lines if line.startswith(b"set-cookie")]
    assert cookies == [b"set-cookie: a=1; path=/; httponly", b"set-cookie: b=2, 3"]


async def test_a_fault_is_a_problem_without_its_text(port: int, name: str) -> None:
    await ask(port, f"/objects/counter/{name}")
    answer = await ask(port, f"/objects/counter/{name}/raise")
    assert answer.status == 500
    assert parse_json(answer.body)["code"] == "object_fault"
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    after = await ask(port, f"/objects/counter/{name}")
    assert parse_json(after.body)["count"] == 2  # what the fault wrote is undone


async def test_an_object_that_cannot_start_is_a_problem(port: int, name: str) -> None:
    answer = await ask(port, f"/objects/broken/{name}")
    assert (answer.status, parse_json(answer.body)["code"]) == (500, "object_fault")
    assert b"secret" not in answer.body


async def test_an_object_without_answers_says_404(port: int, name: str) -> None:
    assert (await ask(port, f"/objects/speaker/{name}")).status == 404
    assert (await ask(port, f"/objects/tinybase/{name}")).status == 404


async def test_a_body_is_taken_up_to_its_bound(port: int, name: str) -> None:
    answer = await ask(port, f"/objects/counter/{name}", "POST", b"b" * LARGEST_BODY)
    assert parse_json(answer.body)["bytes"] == LARGEST_BODY
    answer = await ask(port, f"/objects/counter/{name}", "POST", b"b" * (LARGEST_BODY + 1))
    assert (answer.status, parse_json(answer.body)["code"]) == (413, "body_too_large")


async def test_a_body_in_chunks_has_the_same_bound(port: int, name: str) -> None:
    wire = await WireSocket.dial(port)
    headers = [("Transfer-Encoding", "chunked")]
    await wire.send(request_text("POST", f"/objects/counter/{name}", headers=headers))
    chunk = b"10000\r\n" + b"c" * 0x10000 + b"\r\n"
    for _ in range(LARGEST_BODY // 0x10000 + 1):
        wire.write(chunk)
    assert (await wire.read_answer()).status == 413
    await wire.close()


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(
    port: int, name: str
) -> None:
    for _ in range(20):
        wire = await WireSocket.dial(port)
        headers = [("Content-Length", "1000")]
        await wire.send(request_text("POST", f"/objects/counter/{name}", headers=headers) + b"x")
        wire.vanish()
    assert parse_json((await ask(port, f"/objects/counter/{name}")).body)["count"] == 1


async def test_requests_at_once_are_counted_one_by_one(port: int, name: str) -> None:
    answers = await asyncio.gather(*(ask(port, f"/objects/counter/{name}") for _ in range(40)))
    counts = sorted(parse_json(answer.body)["count"] for answer in answers)
    assert counts == list(range(1, 41))


async def test_requests_in_one_write_are_answered_in_order(port: int, name: str) -> None:
    request = request_text("GET", f"/objects/counter/{name}").replace(b"Connection: close\r\n", b"")
    wire = await WireSocket.dial(port)
    await wire.send(request * 20)
    counts = [parse_json((await wire.read_answer()).body)["count"] for _ in range(20)]
    assert counts == list(range(1, 21))
    await wire.close()


async def test_a_body_that_does_not_come_is_given_up(
    port: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.bodies._BODY_SECONDS", 0.1)
    wire = await WireSocket.dial(port)
    headers = [("Content-Length", "1000")]
    await wire.send(request_text("POST", f"/objects/counter/{name}", headers=headers))
    answer = await wire.read_answer()
    assert (answer.status, parse_json(answer.body)["code"]) == (408, "body_too_slow")
    await wire.close()
