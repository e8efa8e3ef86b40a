"""The guide to calls: its objects do what its test says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "call-other-objects.md"


def test_the_objects_and_the_test_of_the_guide_work_in_a_project_of_their_own(
    tmp_path: Path,
) -> None:
    blocks = [part.split("```")[0] for part in GUIDE.read_text("utf-8").split("```python\n")[1:]]
    (tmp_path / "bank.py").write_text(next(block for block in blocks if "class Till" in block))
    (tmp_path / "test_bank.py").write_text(next(block for block in blocks if "def test_" in block))
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\npythonpath = .\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
