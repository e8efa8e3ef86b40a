"""The pages about testing one's objects hold in a project of its own, on each store."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PostgresServer
from tests.integration.command_line import environment

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "test-your-objects.md"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the counter and every test of the guide."""
    package = tmp_path / "myproject"
    package.mkdir()
    (package / "__init__.py").touch()
    counter = ROOT / "examples" / "counter" / "counter.py"
    (package / "counter.py").write_text(counter.read_text("utf-8"))
    (tmp_path / "test_counter.py").write_text(guide_tests())
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\npythonpath = .\n")
    return tmp_path


def guide_tests() -> str:
    blocks = [part.split("```")[0] for part in GUIDE.read_text("utf-8").split("```python\n")[1:]]
    return "\n\n".join(block for block in blocks if "def test_" in block)


def passed(project: Path, *options: str) -> int:
    """Run the project's tests; how many passed when all did."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env=environment(PYTEST_ADDOPTS=""),  # what it prints is read
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return int(ran.stdout.splitlines()[-1].split()[0])


@pytest.mark.parametrize("store", ["memory", "postgres"])
def test_the_tests_of_the_guide_pass_on_either_store(project: Path, store: str) -> None:
    tests = guide_tests()
    expected = tests.count("def test_") + tests.count("parametrize(")
    assert passed(project, f"--stateroom-store={store}") == expected


def test_a_given_server_is_used(project: Path, postgres_server: PostgresServer) -> None:
    options = ["--stateroom-store=postgres", f"--stateroom-postgres={postgres_server.url}"]
    assert passed(project, *options, "-k", "in_either and postgres") == 1
