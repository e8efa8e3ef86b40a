"""The wheel, installed into a project that has an `app` package of its own."""

import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

import app
from tests.architecture.sources import ROOT
from tests.integration.command_line import Served, environment

AUTHORS = (
    ROOT / "tests" / "typing" / "tinybase_authors.py",
    ROOT / "examples" / "counter" / "counter.py",
    ROOT / "examples" / "moderated-room" / "moderated.py",
    ROOT / "examples" / "tinybase-server" / "server.py",
)
COUNTER = """
from stateroom import Connection, DurableObject


class Counter(DurableObject):
    async def on_start(self) -> None:
        self.count = await self.ctx.storage.get("count", 0)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.count += 1
        self.ctx.storage.put("count", self.count)
        self.ctx.broadcast(str(self.count))
"""
TEST_OF_THE_USER = """
import app.counter
import stateroom


def test_both_packages_are_who_they_say():
    assert app.counter.Counter.__mro__[1] is stateroom.DurableObject
    assert stateroom.DurableObject.__module__ == "stateroom.app.sdk.durable_object"
"""


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stateroom-wheel-") as folder:
        run(
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", folder, str(ROOT)),
            folder=Path(folder),
            STATEROOM_BUILD="pure",  # what is compiled has tests of its own
        )
        (built,) = Path(folder).glob("*.whl")
        yield built


@pytest.fixture(scope="module")
def project(wheel: Path) -> Iterator[Path]:
    """A project with an `app` package, and a virtual environment with the wheel in `.venv`."""
    with tempfile.TemporaryDirectory(prefix="stateroom-project-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "app").mkdir()
        (folder / "app" / "__init__.py").write_text("")
        (folder / "app" / "counter.py").write_text(COUNTER)
        (folder / "test_mine.py").write_text(TEST_OF_THE_USER)
        run(sys.executable, "-m", "venv", "--without-pip", ".venv", folder=folder)
        python = str(folder / ".venv" / "bin" / "python")
        run(
            *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
            *("--no-deps", "--no-index", str(wheel)),
            folder=folder,
        )
        # The dependencies of this checkout serve as they are; its own editable installation does
        # not, because a folder that is named in a .pth file has its own .pth files ignored.
        (packages,) = (folder / ".venv").glob("lib/python*/site-packages")
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        yield folder


def run(*command: str, folder: Path, **variables: str) -> str:
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_wheel_installs_one_package_and_it_is_typed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"stateroom"}
    assert {
        "stateroom/py.typed",
        "stateroom/__init__.py",
        "stateroom/app/sdk/__init__.py",
        "stateroom/migrations/env.py",
    } <= set(names)
    assert [name for name in names if name.endswith(".pyc") or "/tests/" in name] == []


def test_no_file_of_the_wheel_imports_the_name_app(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    sources = [name for name in archive.namelist() if name.endswith(".py")]
    for name in sources:
        lines = archive.read(name).decode().splitlines()
        assert [
            line for line in lines if line.lstrip().startswith(("from app", "import app"))
        ] == []


def test_the_command_of_the_wheel_works_and_has_our_version(project: Path) -> None:
    command = str(project / ".venv" / "bin" / "stateroom")
    assert run(command, "version", folder=project).startswith(f"stateroom {app.__version__} ")


def test_it_mounts_a_class_of_the_projects_own_app_package(project: Path) -> None:
    out = run(
        *(str(project / ".venv" / "bin" / "stateroom"), "check"),
        folder=project,
        STATEROOM_NAMESPACES="counter=app.counter:Counter",
        STATEROOM_PORT="0",
    )
    assert "ok    objects         counter, tinybase\n" in out


def test_it_serves_that_class_and_keeps_its_data(project: Path) -> None:
    for expected in ("1", "2"):
        with (
            Served(
                project,
                *("--data-dir", "served"),
                command=(str(project / ".venv" / "bin" / "stateroom"),),
                STATEROOM_NAMESPACES="counter=app.counter:Counter",
            ) as server,
            connect(f"{server.rooms}/objects/counter/visits") as socket,
        ):
            socket.send("+1")
            assert socket.recv(timeout=10) == expected


def test_it_migrates_an_embedded_database_with_the_migrations_it_brings(project: Path) -> None:
    out = run(
        *(str(project / ".venv" / "bin" / "python"), "-m", "stateroom", "migrate"),
        *("--data-dir", "data"),
        folder=project,
    )
    assert out.startswith("The schema is at ")


def test_the_pytest_plugin_of_the_wheel_loads_in_the_projects_own_tests(project: Path) -> None:
    out = run(
        *(str(project / ".venv" / "bin" / "python"), "-m", "pytest", "-p", "no:cacheprovider"),
        folder=project,
    )
    assert "1 passed" in out
    assert "stateroom-" in out


def test_what_authors_write_type_checks_strictly_against_the_wheel(project: Path) -> None:
    for source in AUTHORS:
        (project / source.name).write_text(source.read_text("utf-8"))
    out = run(
        *(sys.executable, "-m", "mypy", "--strict", "--warn-unreachable"),
        *("--python-executable", str(project / ".venv" / "bin" / "python")),
        *("--cache-dir", str(project / "cache"), *(source.name for source in AUTHORS)),
        folder=project,
    )
    assert out == f"Success: no issues found in {len(AUTHORS)} source files\n"
