"""The whole harness once, short, with our own servers: started, loaded, checked, judged, told."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 240


@pytest.mark.timeout(SECONDS + 30)
def test_a_row_is_measured_judged_and_written(tmp_path: Path) -> None:
    place = tmp_path / "page.md"
    command = [sys.executable, "-m", "bench.performance", "--quick", "--rows", "durability"]
    command += ["--page", str(place), "--results", str(tmp_path / "results")]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr

    text = place.read_text("utf-8")
    assert "p50 of commit minus none : one single-row commit of pgbench" in text
    assert "0 cells were missing or stale, 0 rooms told wrong hashes" in text
    [results] = (tmp_path / "results").glob("*.json")
    told = orjson.loads(results.read_bytes())
    cells = {cell["server"]: cell for cell in told["cells"]}
    assert set(cells) == {"stateroom", "stateroom-none"}
    assert all(cell["figures"]["messages"] > 0 and not cell["faults"] for cell in cells.values())
    assert cells["stateroom"]["missing_in_replica"] == cells["stateroom"]["wrong_hashes"] == 0
    [claim] = told["claims"]
    assert claim["value"] is not None
