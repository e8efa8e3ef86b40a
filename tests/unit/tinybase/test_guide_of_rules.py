"""The guide to roles and write rules: its class and its test, in a project of their own."""

import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "roles-and-rules.md"


def test_the_class_of_the_guide_passes_the_test_of_the_guide(tmp_path: Path) -> None:
    blocks = [part.split("```")[0] for part in GUIDE.read_text("utf-8").split("```python\n")[1:]]
    (board,) = [block for block in blocks if "class Board" in block]
    (tests,) = [block for block in blocks if "def test_" in block]
    (tmp_path / "board.py").write_text(board)
    (tmp_path / "test_board.py").write_text(tests, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\npythonpath = .\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout
