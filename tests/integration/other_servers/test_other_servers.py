"""The ASGI application under servers that are not ours, alone and mounted below a path."""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from app.store.migration import migrate
from tests.architecture.sources import ROOT
from tests.integration.command_line import environment

START_SECONDS = 60
APP = "tests.integration.other_servers.served_app"
TOKEN = "a-token-of-enough-characters"
PREFIX = "/my%20rooms"


def _uvicorn(target: str, port: int) -> list[str]:
    return ["-m", "uvicorn", target, "--port", str(port)]


def _hypercorn(target: str, port: int) -> list[str]:
    return ["-m", "hypercorn", target, "--bind", f"127.0.0.1:{port}"]


def _granian(target: str, port: int) -> list[str]:
    return ["-m", "granian", "--interface", "asgi", "--port", str(port), target]


SERVERS: dict[str, Callable[[str, int], list[str]]] = {
    "uvicorn": _uvicorn,
    "hypercorn": _hypercorn,
    "granian": _granian,
}


def test_all_of_them_are_installed() -> None:
    assert all(importlib.util.find_spec(name) for name in SERVERS)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").is_success
    except httpx.TransportError:
        return False


def _ready(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until it answers; False when it has ended, for somebody may have taken its port."""
    ends = time.perf_counter() + START_SECONDS
    while process.poll() is None:
        if _answers(url):
            return True
        assert time.perf_counter() < ends, "the server does not answer"
        with pytest.raises(subprocess.TimeoutExpired):  # a moment, or its end
            process.wait(0.05)
    return False


@contextmanager
def _served(server: str, target: str, log: Path, **variables: str) -> Iterator[str]:
    prefix = PREFIX if target == "mounted" else ""
    for _ in range(3):
        port = _free_port()
        url = f"http://127.0.0.1:{port}{prefix}"
        command = [sys.executable, *SERVERS[server](f"{APP}:{target}", port)]
        with (
            log.open("ab") as out,
            subprocess.Popen(
                command, cwd=ROOT, env=environment(**variables), stdout=out, stderr=out
            ) as process,
        ):
            try:
                if _ready(process, url):
                    yield url
                    return
            finally:
                process.terminate()
                try:
                    process.wait(START_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
    raise AssertionError(log.read_text())


@pytest.fixture
async def variables(database_url: str, folder: Path) -> dict[str, str]:
    await migrate(database_url)
    return {
        "STATEROOM_DATABASE_URL": database_url,
        "STATEROOM_DATA_DIR": str(folder / "data"),
        "STATEROOM_ADMIN_TOKEN": TOKEN,
    }


@pytest.mark.parametrize(
    ("server", "target"), [("uvicorn", "mounted"), ("hypercorn", "alone"), ("granian", "mounted")]
)
def test_sockets_objects_and_admin_work(
    server: str, target: str, variables: dict[str, str], folder: Path
) -> None:
    log = folder / "log"
    with _served(server, target, log, **variables) as url:
        rooms = url.replace("http", "ws")
        with connect(f"{rooms}/objects/echo/one") as client:
            client.send("héllo")
            assert client.recv(timeout=20) == "héllo"
            client.send(b"\x00\xff")
            assert client.recv(timeout=20) == b"\x00\xff"
            client.send("last")
            assert client.recv(timeout=20) == "last"
            client.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "as asked")
        with connect(f"{rooms}/a%2Froom") as client:
            client.send('S\n["q",1,""]')
            assert client.recv(timeout=20) == 'S\n["q",0,[0,0]]'
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{rooms}/livez")
        assert refused.value.response.status_code == 404
        answer = httpx.get(f"{url}/objects/echo/one/path")
        assert (answer.status_code, answer.text) == (200, "/path last")
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert httpx.get(f"{url}/objects/none/one").status_code == 404
        assert httpx.get(f"{url}/a%2Froom").status_code == 426
        key = {"Authorization": f"Bearer {TOKEN}"}
        listed = httpx.get(f"{url}/admin/v1/namespaces/tinybase/objects/a%252Froom", headers=key)
        assert listed.status_code == 200, listed.text
        if target == "mounted":
            outside = url.removesuffix(PREFIX)
            assert httpx.get(f"{outside}/page").text == "somebody else's"
            assert httpx.get(f"{outside}/objects/echo/one").status_code == 404
    assert "Traceback" not in log.read_text()
