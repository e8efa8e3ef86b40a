"""Export, import and fork through the admin API of a running service."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.backup import ObjectHead
from app.core.backup_lines import (
    EndLine,
    HeaderLine,
    alarm_line,
    end_line,
    head_line,
    header_line,
    line_digest,
    row_line,
)
from app.core.codec import parse_json
from app.core.content_digest import ContentDigest
from app.core.instants import LATEST_MS
from app.core.storage_codec import encode_value
from app.core.values import Alarm

from .administrators import ADMIN_TOKEN, administrator
from .conftest import StartService
from .running_service import RunningService, ServerKind

NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(steered: RunningService) -> AsyncIterator[httpx.AsyncClient]:
    async with administrator(steered, "/admin/v1") as made:
        yield made


async def put(client: httpx.AsyncClient, name: str, content: dict[str, Any]) -> str:
    room = f"/namespaces/tinybase/objects/{name}"
    assert (await client.put(f"{room}/content", json=content)).status_code == 204
    return room


def lines_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [parse_json(line) for line in answer.content.splitlines()]


async def test_an_exported_room_is_imported_over_what_it_has_become(
    client: httpx.AsyncClient, name: str
) -> None:
    before = {"tables": {"t": {"r": {"c": 1}}}, "values": {"v": "☃"}}
    room = await put(client, name, before)
    export = await client.get(f"{room}/export")
    assert export.status_code == 200
    lines = lines_of(export)
    assert (lines[1]["object"]["name"], lines[-1]["finish"]["objects"]) == (name, 1)
    await put(client, name, {"tables": {}, "values": {"v": "other"}})

    left = await client.post("/import", content=export.content, headers=NDJSON)
    told = lines_of(left)
    assert (told[0]["result"], told[0]["code"]) == ("refused", "object_not_empty")
    assert told[-1]["kind"] == "summary"

    replaced = await client.post("/import?mode=replace", content=export.content, headers=NDJSON)
    told = lines_of(replaced)
    assert (told[0]["result"], told[-1]["imported"], told[-1]["complete"]) == ("imported", 1, True)
    assert (await client.get(f"{room}/content")).json() == before


async def test_the_export_of_all_and_of_a_namespace_hold_every_room(
    client: httpx.AsyncClient, name: str
) -> None:
    for number in range(3):
        await put(client, f"{name}-{number}", {"tables": {}, "values": {"n": number}})
    for path in ("/export", "/namespaces/tinybase/export"):
        lines = lines_of(await client.get(path))
        names = {line["object"]["name"] for line in lines if "object" in line}
        assert {f"{name}-{number}" for number in range(3)} <= names
        assert "finish" in lines[-1]
    dry = await client.post(
        "/import?dry_run=true", content=(await client.get("/export")).content, headers=NDJSON
    )
    told = lines_of(dry)
    assert {line["result"] for line in told[:-1]} == {"skipped"}
    assert told[-1]["dry_run"] is True


async def test_a_fork_has_the_content_of_its_room_and_goes_its_own_way(
    client: httpx.AsyncClient, name: str
) -> None:
    room = await put(client, name, {"tables": {"t": {"r": {"c": 1}}}, "values": {}})
    made = await client.post(f"{room}/fork", json={"name": f"{name}/copy"})
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["namespace"]) == (f"{name}/copy", "tinybase")
    copy = f"/namespaces/tinybase/objects/{name}%2Fcopy"
    await client.patch(
        f"{copy}/content",
        content='{"values": {"mine": true}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    assert (await client.get(f"{room}/content")).json()["values"] == {}
    assert (await client.get(f"{copy}/content")).json() == {
        "tables": {"t": {"r": {"c": 1}}},
        "values": {"mine": True},
    }
    again = await client.post(f"{room}/fork", json={"name": f"{name}/copy"})
    assert (again.status_code, again.json()["code"]) == (409, "object_not_empty")


async def test_what_cannot_be_done_is_a_problem_with_its_code(
    client: httpx.AsyncClient, name: str
) -> None:
    unknown = await client.get(f"/namespaces/tinybase/objects/{name}/export")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "object_unknown")
    nowhere = await client.get("/namespaces/nothing/export")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "namespace_unknown")
    nonsense = await client.post("/import", content=b"hello\n", headers=NDJSON)
    assert (nonsense.status_code, nonsense.json()["code"]) == (422, "backup_unreadable")
    typed = await client.post("/import", content=b"{}", headers={"content-type": "text/plain"})
    assert (typed.status_code, typed.json()["code"]) == (415, "media_type_unknown")
    nothing = await client.post(
        f"/namespaces/tinybase/objects/{name}/fork", json={"name": f"{name}-2"}
    )
    assert (nothing.status_code, nothing.json()["code"]) == (404, "object_unknown")


async def test_a_client_that_reads_nothing_until_it_has_sent_all_is_not_held_up(
    client: httpx.AsyncClient, name: str
) -> None:
    """More answer than any buffer between holds, told while the body still comes."""
    room = await put(client, name, {"tables": {}, "values": {"v": 1}})
    lines = (await client.get(f"{room}/export")).content.splitlines()
    stranger = lines[1].replace(b'"namespace":"tinybase"', b'"namespace":"nowhere"')
    body = b"\n".join([lines[0], *[stranger] * 30_000, *lines[1:]]) + b"\n"
    told = lines_of(await client.post("/import", content=body, headers=NDJSON))
    assert (told[-1]["skipped"], told[-1]["refused"]) == (1, 30_000)
    assert told[-1]["complete"]


async def test_an_import_brings_in_nothing_that_no_object_could_have_stored(
    client: httpx.AsyncClient, name: str
) -> None:
    """One such row or alarm would spoil every list that it stands in, for everybody."""
    good = encode_value(1)
    alarm = Alarm(due_ms=LATEST_MS + 1, next_attempt_ms=LATEST_MS + 1)
    strangers = [
        whole_object(f"{name}-key", {b"\xff": good}),
        whole_object(f"{name}-value", {b"k": b""}),
        whole_object(f"{name}-alarm", {b"k": good}, {"x": alarm}),
        whole_object(f"{name}-good", {b"k": good}),
    ]
    header = header_line(HeaderLine(made_at="2026-11-23T10:00:00.000Z", cluster="another"))
    body = header + b"".join(strangers)
    told = lines_of(await client.post("/import", content=body, headers=NDJSON))
    codes = {line["name"]: line.get("code") for line in told if line["kind"] == "object"}
    assert list(codes.values()) == ["storage_refused"] * 3 + [None]
    assert (told[-1]["imported"], told[-1]["refused"]) == (1, 3)
    for last in ("key", "value", "alarm"):
        gone = await client.get(f"/namespaces/tinybase/objects/{name}-{last}/storage")
        assert gone.status_code == 404
    assert (await client.get("/alarms")).status_code == 200


def whole_object(
    name: str, rows: dict[bytes, bytes], alarms: dict[str, Alarm] | None = None
) -> bytes:
    """The lines of an object, all of which agree."""
    head = ObjectHead(
        namespace="tinybase",
        name=name,
        uuid=UUID(int=0),
        commit_seq=1,
        created_ms=1,
        committed_ms=None,
    )
    first = head_line(head, "0" * 64)
    content, lines_sum = ContentDigest(), sha256(line_digest(first))
    body = first
    for key, value in rows.items():
        content.add(key, value)
        body += row_line(key, value)
    for alarm_name, alarm in (alarms or {}).items():
        line = alarm_line(alarm_name, alarm)
        lines_sum.update(line_digest(line))
        body += line
    end = EndLine(
        digest=content.digest(), alarms=len(alarms or {}), lines_sha256=lines_sum.hexdigest()
    )
    return body + end_line(end)
