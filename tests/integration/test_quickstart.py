"""The object of the quickstart: its file, its commands and its test, as they stand on the page."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.integration.command_line import DEADLINE_SECONDS, Served, environment

pytestmark = pytest.mark.timeout(300)

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
CHECKOUT = PAGE.parents[1]


@pytest.fixture
def written(folder: Path) -> Path:
    """The folder with the page's two files."""
    section = PAGE.read_text("utf-8").split("\n## 4. ")[1].split("\n## ")[0]
    poll, test = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (folder / "poll.py").write_text(poll)
    (folder / "test_poll.py").write_text(test)
    return folder


def test_the_poll_answers_as_the_page_says_and_outlives_a_kill(
    written: Path, database_url: str
) -> None:
    section = PAGE.read_text("utf-8").split("\n## 4. ")[1]
    shown = re.findall(
        r"^curl (?:-d (\w+) )?http://127.0.0.1:8000(\S+) +# (\{.*?\})", section, re.MULTILINE
    )
    assert len(shown) == 3
    database = ("--database-url", database_url)
    with Served(written, *database, STATEROOM_NAMESPACES="poll=poll:Poll") as served:
        for vote, path, answer in shown:
            method = "POST" if vote else "GET"
            assert httpx.request(method, served.url + path, content=vote).text == answer
        served.kill()
    with Served(written, *database, STATEROOM_NAMESPACES="poll=poll:Poll") as served:
        assert httpx.get(served.url + shown[0][1]).text == shown[1][2]
        sockets = f"{served.rooms}{shown[0][1]}"
        with connect(sockets, open_timeout=DEADLINE_SECONDS) as client:
            assert client.recv(timeout=DEADLINE_SECONDS) == "{'tea': 2}"
        assert served.stop().status == 0


def test_the_test_of_the_poll_passes(written: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider"],
        cwd=written,
        env=environment(PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout
