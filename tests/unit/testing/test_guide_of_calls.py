"""The guides to calls and to streams: their objects do what their tests say."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDES = ROOT / "docs" / "guides"


@pytest.mark.parametrize(
    ("guide", "module", "cls"),
    [("call-other-objects", "bank", "class Till"), ("stream-bodies", "feed", "class Channel")],
)
def test_the_objects_and_the_test_of_the_guide_work_in_a_project_of_their_own(
    tmp_path: Path, guide: str, module: str, cls: str
) -> None:
    text = (GUIDES / f"{guide}.md").read_text("utf-8")
    blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    (tmp_path / f"{module}.py").write_text(next(block for block in blocks if cls in block))
    (tmp_path / "test_it.py").write_text(next(block for block in blocks if "def test_" in block))
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
