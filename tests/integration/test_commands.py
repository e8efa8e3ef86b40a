import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app
from app.store.data_directory import DataDirectory
from tests.integration.command_line import Ended, environment, stateroom

NOBODY_LISTENS = "postgresql://me:hunter2@127.0.0.1:1/rooms"
ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED_IMPORT = """
import runpy, sys


class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "app.cli":
            raise KeyboardInterrupt


sys.meta_path.insert(0, Interrupting())
runpy.run_module("stateroom", run_name="__main__")
"""
COUNTER = """
from stateroom import DurableObject


class Counter(DurableObject):
    pass


class Plain:
    pass
"""


def the_line(ended: Ended) -> str:
    assert ended.status == 1
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err
    return ended.err


def findings(ended: Ended) -> dict[str, tuple[str, str]]:
    rows = [re.split(r"\s{1,}", line, maxsplit=1) for line in ended.out.splitlines()]
    parted = [(verdict, *re.split(r"\s{2,}", rest, maxsplit=1)) for verdict, rest in rows]
    return {subject: (verdict, text) for verdict, subject, text in parted}


def test_version_tells_the_version(folder: Path) -> None:
    ended = stateroom(folder, "version")
    assert ended.status == 0
    assert ended.out.startswith(f"stateroom {app.__version__} (Python ")


def test_a_wrong_option_is_status_2_and_names_the_right_ones(folder: Path) -> None:
    ended = stateroom(folder, "serve", "--prot", "1")
    assert ended.status == 2
    assert "No such option: --prot" in ended.err


def test_check_finds_a_fresh_folder_ready_for_a_start_and_makes_nothing(folder: Path) -> None:
    ended = stateroom(folder, "check", STATEROOM_PORT="0")
    assert ended.status == 0, ended.out
    found = findings(ended)
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert set(found) >= {"python", "access", "address", "objects", "postgres", "data directory"}
    assert list(folder.iterdir()) == []


def test_check_imports_the_classes_from_the_working_directory(folder: Path) -> None:
    (folder / "mine.py").write_text(COUNTER)
    ended = stateroom(
        folder, "check", STATEROOM_PORT="0", STATEROOM_NAMESPACES="counter=mine:Counter"
    )
    assert findings(ended)["objects"] == ("ok", "counter, tinybase")


@pytest.mark.parametrize(
    ("namespaces", "words"),
    [
        ("c=nowhere:Counter", "'nowhere' cannot be imported"),
        ("c=mine:Other", "has no class 'Other'"),
        ("c=mine:Plain", "is not a subclass of stateroom.DurableObject"),
        ("c=mine:Counter?durability=maybe", "'maybe' is not one of commit, relaxed, none"),
    ],
)
def test_check_says_what_is_wrong_with_a_class(folder: Path, namespaces: str, words: str) -> None:
    (folder / "mine.py").write_text(COUNTER)
    ended = stateroom(folder, "check", STATEROOM_PORT="0", STATEROOM_NAMESPACES=namespaces)
    verdict, text = findings(ended)["objects"]
    assert (ended.status, verdict) == (1, "FAIL")
    assert words in text


def test_check_knows_what_a_misspelt_variable_should_have_been(folder: Path) -> None:
    ended = stateroom(folder, "check", STATEROOM_PORT="0", STATEROOM_NAMESPACE="c=mine:Counter")
    assert findings(ended)["settings"] == (
        "note",
        "STATEROOM_NAMESPACE is no setting; STATEROOM_NAMESPACES was meant?",
    )


def test_check_says_that_a_route_leads_nowhere(folder: Path) -> None:
    ended = stateroom(folder, "check", STATEROOM_PORT="0", STATEROOM_ROUTES="**=cursors")
    verdict, text = findings(ended)["objects"]
    assert verdict == "FAIL"
    assert "names the namespace 'cursors', which is not mounted" in text


def test_check_reaches_for_the_database_and_keeps_its_password_to_itself(folder: Path) -> None:
    ended = stateroom(folder, "check", STATEROOM_PORT="0", DATABASE_URL=NOBODY_LISTENS)
    verdict, text = findings(ended)["database"]
    assert (ended.status, verdict) == (1, "FAIL")
    assert "127.0.0.1:1" in text
    assert "hunter2" not in ended.out + ended.err


def test_check_takes_a_running_service_for_no_fault(folder: Path) -> None:
    with (
        DataDirectory(folder / ".stateroom"),
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        port = listener.getsockname()[1]
        ended = stateroom(folder, "check", STATEROOM_PORT=str(port))
    found = findings(ended)
    assert ended.status == 0
    assert found["address"][0] == found["data directory"][0] == "note"
    assert "its postgres" not in found


def test_the_doctor_tells_how_to_reach_the_embedded_postgres_while_it_runs(folder: Path) -> None:
    url = "postgresql://stateroom@/postgres?host=%2Fsomewhere"
    with DataDirectory(folder / ".stateroom"):
        (folder / ".stateroom" / "postgres_url").write_text(url)
        while_it_runs = findings(stateroom(folder, "doctor"))
    afterwards = findings(stateroom(folder, "doctor"))
    assert while_it_runs["its postgres"] == ("ok", f"psql '{url}'")
    assert "its postgres" not in afterwards


def test_the_doctor_names_a_database_that_does_not_answer_once(folder: Path) -> None:
    ended = stateroom(folder, "doctor", STATEROOM_PORT="0", DATABASE_URL=NOBODY_LISTENS)
    assert ended.status == 1
    assert ended.out.count("FAIL") == 1


def test_an_interrupt_while_the_code_is_read_is_quiet_too(folder: Path) -> None:
    (folder / "interrupted.py").write_text(INTERRUPTED_IMPORT)
    ended = subprocess.run(
        [sys.executable, folder / "interrupted.py"],
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_migrate_without_a_database_makes_and_migrates_the_embedded_one_and_may_run_again(
    folder: Path,
) -> None:
    for _ in range(2):
        ended = stateroom(folder, "migrate")
        assert (ended.status, ended.err) == (0, "")
        assert re.fullmatch(r"The schema is at \d{4}\w*\.\n", ended.out)
    assert (folder / ".stateroom").is_dir()


def test_migrate_says_in_one_line_that_the_database_does_not_answer(folder: Path) -> None:
    line = the_line(
        stateroom(
            folder,
            *("migrate", "--database-url", NOBODY_LISTENS),
            STATEROOM_DATABASE_CONNECT_SECONDS="0.1",
        )
    )
    assert line.startswith("stateroom: error [database_unreachable]: ")
    assert "hunter2" not in line


def test_migrate_says_in_one_line_that_the_data_directory_is_in_use(folder: Path) -> None:
    with DataDirectory(folder / "data"):
        line = the_line(stateroom(folder, "migrate", "--data-dir", "data"))
    assert line.startswith("stateroom: error [data_directory_in_use]: ")


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--workers", "0"], {}, "STATEROOM_WORKERS"),
        (["--port", "99999"], {}, "STATEROOM_PORT"),
        (["--host", "0.0.0.0"], {}, "STATEROOM_ROOM_ACCESS"),
        (["--database-url", "mysql://x"], {}, "STATEROOM_DATABASE_URL: it must begin with"),
        ([], {"STATEROOM_ROOM_ACCESS": "token"}, "STATEROOM_ROOM_TOKEN"),
        ([], {"STATEROOM_NAMESPACES": "counter"}, "STATEROOM_NAMESPACES"),
    ],
)
def test_serve_refuses_a_setting_in_one_line_before_anything_is_started(
    folder: Path, arguments: list[str], variables: dict[str, str], words: str
) -> None:
    line = the_line(stateroom(folder, "serve", *arguments, **variables))
    assert line.startswith("stateroom: error [configuration_invalid]: ")
    assert words in line
    assert " Remedy: " in line
    assert list(folder.iterdir()) == []


def test_help_reads_no_code_of_the_server_or_the_database() -> None:
    heavy = "alembic asyncpg picows sqlalchemy starlette uvicorn uvloop app.wiring app.room"
    looks = f"import sys, app.cli.commands; print(sorted(set(sys.modules) & set({heavy.split()})))"
    ended = subprocess.run(
        [sys.executable, "-c", looks],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == "[]\n"
