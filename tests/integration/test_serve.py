"""The service as a user starts it: the command, an embedded database, a class of the user's."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres
from tests.architecture.sources import ROOT
from tests.integration.command_line import Served, stateroom

TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def project(folder: Path) -> Path:
    shutil.copy(ROOT / "examples" / "counter" / "counter.py", folder)
    return folder


@pytest.fixture
async def database(folder: Path) -> AsyncIterator[str]:
    """The URL of a Postgres that nobody has migrated."""
    with DataDirectory(folder / "database") as directory:
        async with EmbeddedPostgres(directory) as postgres:
            yield postgres.url


def served(project: Path, *arguments: str, **variables: str) -> Served:
    mount = {"STATEROOM_NAMESPACES": "counter=counter:Counter"}
    return Served(project, *arguments, **(mount | variables))


def count(url: str) -> str | bytes:
    with connect(f"{url}/objects/counter/visits") as socket:
        socket.send("+1")
        return socket.recv(timeout=10)


def test_a_class_of_the_working_directory_is_served_and_health_is_told(project: Path) -> None:
    with served(project) as server:
        assert [count(server.rooms), count(server.rooms)] == ["1", "2"]
        assert httpx.get(f"{server.url}/livez").status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert httpx.get(server.url).status_code == 426
        ended = server.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.err


def test_what_a_client_saw_is_there_after_a_stop_and_after_sigkill(project: Path) -> None:
    with served(project) as server:
        assert count(server.rooms) == "1"
        server.stop()
    with served(project) as server:
        assert count(server.rooms) == "2"
        server.kill()
    with served(project) as server:
        assert count(server.rooms) == "3"


def test_a_stop_closes_open_sockets_with_1012(project: Path) -> None:
    with served(project) as server, connect(f"{server.rooms}/objects/counter/a") as socket:
        socket.send("+1")
        assert socket.recv(timeout=10) == "1"
        server.process.terminate()
        assert closing(socket) == (1012, "service restart")
        assert server.end().status == 0


def closing(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_a_second_server_on_the_same_data_is_refused_in_one_line(project: Path) -> None:
    with served(project):
        ended = stateroom(project, "serve", "--port", "0")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("stateroom: error [data_directory_in_use]: ")
    assert ended.err.count("\n") == 1


def test_a_second_server_on_the_same_port_is_refused_in_one_line(project: Path) -> None:
    with served(project) as server:
        port = server.url.rpartition(":")[2]
        ended = stateroom(project, "serve", "--port", port, "--data-dir", "other")
    assert ended.err.startswith(f"stateroom: error [port_taken]: Port {port} of 127.0.0.1 is ")
    assert (ended.status, ended.err.count("\n")) == (1, 1)


def test_rooms_with_a_token_open_to_those_who_have_it(project: Path) -> None:
    with served(project, STATEROOM_ROOM_ACCESS="token", STATEROOM_ROOM_TOKEN=TOKEN) as server:
        room = f"{server.rooms}/objects/counter/a"
        for wrong in (room, f"{room}?token=wrong"):
            with pytest.raises(InvalidStatus, match="401"):
                connect(wrong)
        with connect(f"{room}?token={TOKEN}"):
            pass
        with connect(room, additional_headers={"Authorization": f"Bearer {TOKEN}"}):
            pass
        assert TOKEN not in server.stop().err


def test_a_page_of_another_origin_is_turned_away(project: Path) -> None:
    with served(project) as server:
        room = f"{server.rooms}/objects/counter/a"
        with pytest.raises(InvalidStatus, match="403"):
            connect(room, origin=Origin("https://elsewhere.example"))
        with connect(room, origin=Origin("http://localhost:5173")):
            pass


async def test_a_database_of_ones_own_is_migrated_first_and_then_served(
    project: Path, database: str
) -> None:
    refused = stateroom(project, "serve", "--port", "0", DATABASE_URL=database)
    assert refused.err.startswith("stateroom: error [migration_missing]: ")
    assert "`stateroom migrate`" in refused.err
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert stateroom(project, "migrate", DATABASE_URL=database).status == 0
    with served(project, DATABASE_URL=database) as server:
        assert count(server.rooms) == "1"


async def test_a_database_that_lets_us_not_in_is_one_line(project: Path, database: str) -> None:
    elsewhere = database.replace("/postgres?", "/elsewhere?")
    ended = stateroom(project, "serve", "--port", "0", DATABASE_URL=elsewhere)
    assert ended.err.startswith("stateroom: error [database_refused]: ")
    assert (ended.status, ended.err.count("\n")) == (1, 1)


def test_a_database_that_does_not_answer_is_one_line(project: Path) -> None:
    ended = stateroom(
        project,
        *("serve", "--port", "0", "--database-url", "postgresql://me:hunter2@127.0.0.1:1/rooms"),
        STATEROOM_DATABASE_CONNECT_SECONDS="0.1",
    )
    assert ended.err.startswith("stateroom: error [database_unreachable]: ")
    assert (ended.status, ended.err.count("\n")) == (1, 1)
    assert "hunter2" not in ended.err
