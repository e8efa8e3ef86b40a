"""The token that a start makes: in the data directory, accepted by every worker."""

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import httpx

from app.core.admin_tokens import TokenText
from app.store.own_token import read_own_token

from .command_line import DEADLINE_SECONDS, READY_LINE, Served, environment


def whoami(url: str, token: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{url}/admin/v1/me", headers=headers, timeout=DEADLINE_SECONDS)


def told_beside_the_ready_line(served: Served) -> str:
    """What stands on standard output up to the line about the admin plane."""
    assert served.process.stdout is not None
    lines = iter(served.process.stdout.readline, "")
    return next(line for line in lines if "admin:" in line)


def test_a_start_makes_a_token_that_several_workers_accept(tmp_path: Path) -> None:
    data = tmp_path / ".stateroom"
    with Served(tmp_path, "--workers", "2") as served:
        token = read_own_token(data)
        assert token is not None
        assert stat.S_IMODE((data / "admin_token").stat().st_mode) == 0o600
        for _ in range(8):  # each on a connection of its own, so by either worker
            answer = whoami(served.url, token)
            assert (answer.status_code, answer.json()["role"]) == (200, "admin")
        assert whoami(served.url, TokenText.new()).status_code == 401
        told = told_beside_the_ready_line(served)
        ended = served.stop()
    assert str(Path(".stateroom") / "admin_token") in told
    assert token.secret not in told + ended.out + ended.err


def test_on_a_terminal_a_link_to_sign_in_stands_below_the_ready_line(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "stateroom", "serve", "--port", "0"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    )
    os.close(terminal)
    try:
        shown = ""
        while "admin:" not in shown or not shown.endswith("\n"):
            shown += os.read(screen, 1_000).decode()
        shown = shown.replace("\r\n", "\n")
        ready = READY_LINE.search(shown)
        link = re.search(r"admin: (http://\S+)/admin/#token=(stm_\S+)", shown)
        assert ready is not None
        assert link is not None
        assert link[1] == ready[1]
        assert whoami(link[1], link[2]).status_code == 200
        page = httpx.get(f"{link[1]}/admin/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "/admin/v1/me" in page.text
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)
        os.close(screen)
