"""The commands that steer, against a real service."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.doubles.careless_proxy import Carelessness, CarelessProxy

from .commands import TOKEN, CommandLine, logs_elsewhere
from .conftest import StartService
from .running_service import RunningService, ServerKind


@pytest.fixture(autouse=True)
def logs_are_elsewhere() -> Iterator[None]:
    with logs_elsewhere():
        yield


@pytest.fixture(scope="module")
def steered(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, admin_token=TOKEN, socket_ping_seconds=4.0)


@pytest.fixture
def line(steered: RunningService) -> CommandLine:
    return CommandLine(steered.port)


@pytest.fixture
def room() -> str:
    return f"team/{uuid4().hex}"


def count(steered: RunningService, name: str) -> None:
    """Make an object that stores something."""
    httpx.post(f"http://127.0.0.1:{steered.port}/objects/counter/{name}").raise_for_status()


def test_content_is_changed_and_read_back(line: CommandLine, room: str) -> None:
    named = f"tinybase/{room}"
    line.out("rooms", "patch", named, '{"tables": {"t": {"r": {"c": 1, "d": "é\\u001b"}}}}')
    line.out("rooms", "patch", named, "-", given='{"values": {"v": true}}')
    whole = [{"t": {"r": {"c": 1, "d": "é\x1b"}}}, {"v": True}]
    assert line.json("rooms", "get", named) in (
        whole,
        dict(zip(("tables", "values"), whole, strict=True)),
    )
    assert line.json("rooms", "get", named, "--table", "t", "--row", "r") == {"c": 1, "d": "é\x1b"}
    assert "\x1b" not in line.out("rooms", "get", named)


def test_lists_and_one_object_are_shown(
    line: CommandLine, steered: RunningService, name: str
) -> None:
    count(steered, name)
    shown = line.json("rooms", "show", f"counter/{name}")
    assert (shown["namespace"], shown["name"], shown["live"]) == ("counter", name, True)
    by_id = line.json("rooms", "show", f"counter/id:{shown['id']}")
    assert by_id["id"] == shown["id"]
    tags = line.json("rooms", "tag", f"counter/{name}", "blue", "round")["tags"]
    assert tags == ["blue", "round"]
    fields = dict(
        row.split("\t") for row in line.out("rooms", "show", f"counter/{name}").splitlines()
    )
    assert (fields["name"], fields["tags"], fields["live"]) == (name, "blue, round", "yes")


def test_a_list_is_lines_with_tabs_or_one_document_a_line(
    line: CommandLine, steered: RunningService
) -> None:
    lead = uuid4().hex
    for number in range(3):
        count(steered, f"{lead}-{number}")
    wanted = [f"{lead}-{number}" for number in range(3)]

    def listed() -> list[str]:
        return [item["name"] for item in line.lines("rooms", "ls", f"counter/{lead}", "--all")]

    # A list learns of new objects in the background.
    while listed() != wanted:
        pass
    rows = line.out("rooms", "ls", f"counter/{lead}", "--limit", "2").splitlines()
    assert [row.split("\t")[:2] for row in rows] == [["counter", name] for name in wanted[:2]]


def test_life_is_steered(line: CommandLine, steered: RunningService, name: str) -> None:
    count(steered, name)
    named = f"counter/{name}"
    assert line.json("rooms", "freeze", named)["frozen_at"]
    assert line.json("rooms", "thaw", named)["frozen_at"] is None
    assert line.json("rooms", "evict", named, "--close-sockets") == {"evicted": True}
    assert line.json("rooms", "activate", named)["worker_id"]
    assert line.refused("rooms", "rm", named) == (2, "not_confirmed")
    assert line.json("rooms", "rm", "--yes", named)["deleted_at"]
    assert name in [item["name"] for item in line.lines("rooms", "deleted", "--limit", "100000")]
    assert line.refused("rooms", "activate", named)[0] == 3
    assert line.json("rooms", "undelete", named)["deleted_at"] is None


def test_workers_are_listed_and_drained(line: CommandLine) -> None:
    (worker,) = line.lines("workers", "ls")
    assert worker["state"] == "live"
    assert line.json("workers", "drain", worker["worker_id"])["duty"] in ("draining", "leaving")
    assert line.json("workers", "undrain", worker["worker_id"])["duty"] == "serving"
    assert line.refused("workers", "drain", str(uuid4()))[0] == 3


def test_a_token_is_made_used_and_revoked(line: CommandLine, steered: RunningService) -> None:
    secret = line.out("token", "create", "a script", "--role", "viewer").strip()
    made = next(each for each in line.lines("token", "ls") if each["name"] == "a script")
    assert made["role"] == "viewer"
    assert secret not in str(made)
    viewer = CommandLine(steered.port, secret)
    viewer.out("workers", "ls")
    assert viewer.refused("rooms", "rm", "--yes", "x") == (4, "role_too_low")
    line.out("token", "revoke", "--yes", made["id"])
    assert viewer.refused("workers", "ls") == (4, "admin_token_required")


def test_what_goes_wrong_has_a_status_and_one_line(line: CommandLine, tmp_path: Path) -> None:
    ended = line.run("rooms", "get", "no such room")
    assert ended.exit_code == 3
    assert ended.stdout == ""
    assert ended.stderr.startswith("stateroom: error [object_unknown]: ")
    assert ended.stderr.count("\n") == 1
    assert line.run("rooms", "patch", "x", "{").exit_code == 2
    assert line.run("rooms", "get", "/x").exit_code == 2
    assert line.run("rooms", "kick", "x").exit_code == 2
    assert line.refused("rooms", "import", str(tmp_path / "none")) == (1, "file_unusable")
    nobody = line.run("rooms", "ls", STATEROOM_SERVER="http://127.0.0.1:1")
    assert (nobody.exit_code, "[server_unreachable]" in nobody.stderr) == (5, True)


def test_names_of_rooms_are_completed_from_the_server(
    line: CommandLine, steered: RunningService
) -> None:
    lead = uuid4().hex
    count(steered, f"{lead}-one")
    asked = {"_STATEROOM_COMPLETE": "complete_bash", "COMP_CWORD": "3"}

    def offered() -> str:
        words = f"stateroom rooms show counter/{lead}"
        ended = line.run(**asked, COMP_WORDS=words)
        return str(ended.stdout)

    while f"counter/{lead}-one" not in offered():
        pass
    nobody = {"STATEROOM_SERVER": "http://127.0.0.1:1"}
    assert line.run(**asked, **nobody, COMP_WORDS="stateroom rooms show x").stdout.strip() == ""


def test_the_doctor_finds_a_server_well(line: CommandLine) -> None:
    examined = line.json("doctor", "--patience", "60")
    assert examined["ok"] is True
    verdicts = {each["subject"]: each["verdict"] for each in examined["findings"]}
    assert set(verdicts.values()) == {"ok"}
    assert set(verdicts) >= {"upgrade", "message size", "idle timeout", "admin API", "forwarded"}


@pytest.mark.parametrize(
    ("carelessness", "subject"),
    [
        (Carelessness(forgets_upgrade=True), "upgrade"),
        (Carelessness(host="inside"), "server"),
        (Carelessness(largest_bytes=1 << 20), "message size"),
        (Carelessness(idle_seconds=2.0), "idle timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_doctor_finds_what_a_proxy_does_wrong(
    steered: RunningService, carelessness: Carelessness, subject: str
) -> None:
    with CarelessProxy(steered.port, carelessness) as proxy:
        words = ("doctor", "--json", "--server", proxy.url, "--patience", "60")
        ended = CommandLine(steered.port).run(*words)
    assert ended.exit_code == 1, ended.output
    assert f'"subject":"{subject}","verdict":"fail"' in ended.stdout


def test_rooms_are_exported_and_imported(
    line: CommandLine, steered: RunningService, tmp_path: Path, name: str
) -> None:
    count(steered, name)
    file = tmp_path / "one.ndjson"
    line.out("rooms", "export", f"counter/{name}", "-o", str(file))
    assert list(tmp_path.iterdir()) == [file]
    count(steered, name)
    told = line.lines("rooms", "import", str(file), "--mode", "replace", "--yes")
    (imported,) = (each for each in told if each["kind"] == "object")
    assert (imported["name"], imported["result"]) == (name, "imported")
    assert told[-1]["complete"] is True
    decoded = line.out("rooms", "export", f"counter/{name}", "--decoded")
    assert '"count"' in decoded
    copy = line.json("rooms", "fork", f"counter/{name}", f"{name}-copy")
    assert copy["sha256"] == imported["sha256"]


def test_an_import_that_is_refused_in_part_says_so(
    line: CommandLine, steered: RunningService, tmp_path: Path, name: str
) -> None:
    count(steered, name)
    whole = line.out("rooms", "export", f"counter/{name}")
    cut = tmp_path / "cut.ndjson"
    cut.write_text("".join(whole.splitlines(keepends=True)[:-2]))
    ended = line.run("rooms", "import", str(cut), "--dry-run")
    assert ended.exit_code == 7
    assert ended.stdout.split("\t")[:2] == ["object", "refused"]


def test_content_moves_out_and_in(line: CommandLine, room: str, tmp_path: Path) -> None:
    old, new = f"tinybase/{room}", f"tinybase/{room}-new"
    line.out("rooms", "patch", old, '{"tables": {"t": {"r": {"c": [1, 2]}}}}')
    file = tmp_path / "store.json"
    line.out("rooms", "move-out", old, "--format", "mergeable", "-o", str(file))
    assert line.json("rooms", "move-in", new, str(file))["size_bytes"] == file.stat().st_size
    assert line.json("rooms", "get", new, "--table", "t") == {"r": {"c": [1, 2]}}
    assert line.refused("rooms", "move-in", new, str(file))[0] == 6


def test_keys_are_read_and_written(line: CommandLine, steered: RunningService, name: str) -> None:
    count(steered, name)
    named = f"counter/{name}"
    assert line.json("rooms", "get", named, "count") == 1
    assert line.json("rooms", "put", named, "count", "41")["created"] is False
    line.out("rooms", "put", named, "a/b", "-", given='{"deep": [null]}')
    assert line.json("rooms", "get", named) == {"a/b": {"deep": [None]}, "count": 41}
    count(steered, name)
    assert line.out("rooms", "get", named, "count") == "42\n"
    assert line.refused("rooms", "rm", named, "count") == (2, "not_confirmed")
    line.out("rooms", "rm", "--yes", named, "a/b")
    assert line.refused("rooms", "get", named, "a/b")[0] == 3


def test_connections_are_listed_and_closed(
    line: CommandLine, steered: RunningService, name: str
) -> None:
    named = f"speaker/{name}"
    with connect(f"ws://127.0.0.1:{steered.port}/objects/{named}") as socket:
        (shown,) = line.lines("rooms", "connections", named)
        words = ("rooms", "kick", named, shown["id"], "--code", "4001", "--reason", "bye")
        assert line.json(*words) == {"count": 1}
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
        assert (socket.close_code, socket.close_reason) == (4001, "bye")
    assert line.lines("rooms", "connections", named) == []
    assert line.refused("rooms", "kick", named, "--all")[0] == 2


def test_the_past_is_listed_compared_and_restored(
    line: CommandLine, steered: RunningService, name: str
) -> None:
    count(steered, name)
    count(steered, name)
    named = f"counter/{name}"
    latest, first = line.lines("rooms", "history", named)
    assert latest["bookmark"] > first["bookmark"]
    assert line.json("rooms", "get", named, "count", "--at", first["bookmark"]) == 1
    assert line.json("rooms", "get", named, "--at", latest["bookmark"]) == {"count": 2}
    (changed,) = line.lines("rooms", "diff", named, first["bookmark"], latest["bookmark"])
    assert (changed["key"], changed["before"], changed["after"]) == ("count", 1, 2)
    undo = line.out("rooms", "restore", "--yes", named, first["bookmark"]).strip()
    assert line.json("rooms", "get", named, "count") == 1
    assert line.json("rooms", "restore", "--yes", named, undo)["undo_bookmark"]
    assert line.json("rooms", "get", named, "count") == 2
    assert line.refused("rooms", "restore", named, first["bookmark"]) == (2, "not_confirmed")


def test_what_objects_cost_is_ranked_and_told_by_day(
    line: CommandLine, steered: RunningService, name: str
) -> None:
    count(steered, name)
    count(steered, name)
    for by in ("cpu", "stored_bytes"):
        for window in ("now", "day"):
            ranked = line.lines("rooms", "top", by, "--window", window)
            assert all(each.keys() >= {"namespace", "name", "amount"} for each in ranked)
    days = line.lines("rooms", "usage", f"counter/{name}", "--days", "1")
    assert all(each.keys() >= {"day", "cpu_us", "events"} for each in days)
