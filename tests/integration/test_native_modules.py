"""The compiled modules do what their sources do: the tests of the sources, over them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_native import MODULES, compile_for
from tests.architecture.sources import ROOT

SUITES = (
    *("cell_change", "clock", "fragments", "frames_validity", "hashing", "layout", "replica"),
    *("room", "row_bytes", "synchronizer", "wire"),
)
ROOM_SUITES = (
    *("buffer", "cache", "commits", "connections", "events", "gate", "inline_and_gates"),
    *("mailbox", "outputs", "room", "storage", "unit"),
)
TESTS = (
    *(f"tests/unit/tinybase/test_{name}.py" for name in SUITES),
    *(f"tests/unit/room/test_{name}.py" for name in ROOM_SUITES),
    *(f"tests/property/tinybase/test_{name}.py" for name in ("cell_changes", "json_parsers")),
    *(f"tests/unit/core/test_{name}.py" for name in ("bursts", "codec", "frames")),
    *(f"tests/unit/store/test_{name}.py" for name in ("commit_statement", "wire")),
)
"""Every vector, and of the rest what costs little."""


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A copy of what the tests need, with everything compiled."""
    with (
        tempfile.TemporaryDirectory(prefix="stateroom-compiling-") as folder,
        tempfile.TemporaryDirectory(prefix="stateroom-compiled-") as name,
    ):
        made = Path(name)
        made.chmod(0o755)
        compiled = list(compile_for("app", ROOT, Path(folder)))
        left_out = shutil.ignore_patterns("*.so", "__pycache__", "node_modules", "*.sha256")
        for part in ("app", "stateroom", "tests", "docs"):
            shutil.copytree(ROOT / part, made / part, ignore=left_out)
        for part in ("pyproject.toml", "build_native.py"):
            shutil.copy2(ROOT / part, made / part)
        for path in compiled:
            shutil.copy2(Path(folder) / "app" / path, made / "app" / path)
        yield made


def python(checkout: Path, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def files_of(checkout: Path) -> list[str]:
    modules = [f"app.{name.replace('/', '.')}" for name in MODULES]
    told = (
        "import app, importlib; print(app.BUILD.name);"
        f"[print(importlib.import_module(name).__file__) for name in {modules}]"
    )
    return python(checkout, "-c", told).splitlines()


@pytest.mark.timeout(600)
def test_compiled_modules_pass_the_tests_of_their_sources(checkout: Path) -> None:
    build, *files = files_of(checkout)
    assert build == "NATIVE"
    assert [path for path in files if not path.endswith(".so")] == []
    told = python(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert " passed" in told.splitlines()[-1]


@pytest.mark.timeout(600)
def test_compiled_modules_are_put_aside_as_soon_as_a_source_is_edited(checkout: Path) -> None:
    source = checkout / "app" / "tinybase" / "replica.py"
    text = source.read_text("utf-8")
    source.write_text(text + "# edited\n", "utf-8")
    build, *files = files_of(checkout)
    source.write_text(text, "utf-8")
    assert build == "STALE"
    assert [path for path in files if not path.endswith(".py")] == []
