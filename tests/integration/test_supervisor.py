"""`serve --workers 2` with real signals: what dies comes back, what stops stops whole."""

import asyncio
import signal
import socket
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bench.measurement import free_port
from tests.integration.command_line import Ended
from tests.integration.supervised import Supervised, gone, until

pytestmark = pytest.mark.timeout(400)

# Nobody may be served after a kill because a lease ran out: nobody waits that long here.
LONG_LEASE = {"STATEROOM_LEASE_SECONDS": "600", "STATEROOM_RENEW_SECONDS": "1"}
SHORT_LEASE = {"STATEROOM_LEASE_SECONDS": "3", "STATEROOM_RENEW_SECONDS": "0.5"}
# Adopts what others leave behind, as the first process of a container does.
ADOPTING = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "stateroom", *sys.argv[1:]])
"""


def supervised(folder: Path, *arguments: str, **variables: str) -> Supervised:
    return Supervised(folder, *arguments, **(LONG_LEASE | variables))


def live_workers(database_url: str) -> int:
    async def count() -> int:
        session = await asyncpg.connect(database_url)
        try:
            return int(await session.fetchval("select count(*) from worker where state <> 'dead'"))
        finally:
            await session.close()

    return asyncio.run(count())


def test_both_workers_serve_on_one_port_and_an_object_is_the_same_through_either(
    folder: Path,
    database_url: str,
) -> None:
    with supervised(folder, "--database-url", database_url) as service:
        pids = service.all_serve()
        homes = {pid: service.owned_by(pid) for pid in pids}
        for pid, name in homes.items():
            assert {service.pid_of(name) for _ in range(12)} == {pid}


def test_a_killed_worker_is_buried_at_once_the_other_has_its_objects_before_it_is_back(
    folder: Path,
    database_url: str,
) -> None:
    with supervised(folder, "--database-url", database_url) as service:
        victim, other = service.all_serve()
        names = [service.owned_by(victim) for _ in range(3)]
        (folder / "hold").touch()  # keeps the next process from becoming ready
        psutil.Process(victim).kill()
        assert {service.pid_of(name) for name in names} == {other}
        (folder / "hold").unlink()
        again = service.all_serve()
        assert other in again
        assert victim not in again
        assert service.stopped().status == 0


def test_a_frozen_worker_is_killed_and_replaced(folder: Path, database_url: str) -> None:
    with Supervised(folder, "--database-url", database_url, **SHORT_LEASE) as service:
        victim, _ = service.all_serve()
        name = service.owned_by(victim)
        psutil.Process(victim).suspend()
        assert service.pid_of(name) != victim
        assert victim not in service.all_serve()
        assert service.said("worker_silent") >= 1


def test_a_worker_that_keeps_dying_is_started_again_until_it_lives(
    folder: Path, database_url: str
) -> None:
    with supervised(folder, "--database-url", database_url) as service:
        victim, other = service.all_serve()
        (folder / "broken").touch()
        psutil.Process(victim).kill()
        until(lambda: service.said("worker_ended") >= 3)
        assert service.pid_of("anybody") == other
        (folder / "broken").unlink()
        assert other in service.all_serve()
        assert "this class is broken" in service.served.log()


def test_a_stop_lets_events_end_and_commit_says_1012_and_leaves_no_process(folder: Path) -> None:
    with supervised(folder) as service, ThreadPoolExecutor() as threads:
        with connect(f"{service.served.rooms}/my-room") as socket:
            slow = held_in_an_event(service, threads, folder)
            tree = service.tree()
            service.served.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=30)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            until(lambda: refuses(service.served.url))
        (folder / "release").touch()
        # The database was still there, although everybody had been asked to stop.
        assert slow.result().status_code == 200
        assert service.ended().status == 0
        gone(tree)
    with supervised(folder) as service:
        assert service.ask("slow", "/kept").text == "kept"


def test_a_second_signal_ends_everything_at_once_with_status_1(folder: Path) -> None:
    with supervised(folder) as service, ThreadPoolExecutor() as threads:
        slow = held_in_an_event(service, threads, folder)
        tree = service.tree()
        service.served.process.terminate()
        until(lambda: refuses(service.served.url))
        service.served.process.terminate()
        assert service.ended().status == 1
        assert isinstance(slow.exception(), httpx.TransportError)
        gone(tree)


def test_a_signal_to_everybody_at_once_is_an_orderly_stop(folder: Path, database_url: str) -> None:
    """As Ctrl-C in a terminal, followed by what the supervisor itself sends."""
    with supervised(folder, "--database-url", database_url) as service:
        service.all_serve()
        tree = service.tree()
        for process in [*service.workers().values(), service.supervisor]:
            process.send_signal(signal.SIGINT)
        assert service.ended().status == 0
        assert service.said("stop_forced") == 0
        gone(tree)


def test_sighup_replaces_the_workers_one_by_one(folder: Path, database_url: str) -> None:
    with supervised(folder, "--database-url", database_url) as service:
        first = service.all_serve()
        service.supervisor.send_signal(signal.SIGHUP)
        service.supervisor.send_signal(signal.SIGHUP)
        until(lambda: service.said("worker_left") >= 2)
        assert service.pid_of("anybody") > 0
        until(lambda: service.said("workers_roll") >= 1 and not first & service.all_serve())
        assert service.said("worker_ended") == 0
        assert service.stopped().status == 0


def test_a_worker_that_drains_takes_no_new_connection_and_its_sibling_takes_them_all(
    folder: Path, database_url: str
) -> None:
    with (
        supervised(folder, "--database-url", database_url) as service,
        ThreadPoolExecutor() as threads,
    ):
        slow = held_in_an_event(service, threads, folder)
        draining = service.pid_of_event()
        psutil.Process(draining).terminate()
        until(lambda: not listens(draining))
        looks = [httpx.get(f"{service.served.url}/readyz") for _ in range(30)]
        assert [look.status_code for look in looks] == [200] * 30
        (folder / "release").touch()
        assert slow.result().status_code == 200
        until(lambda: draining not in service.all_serve())


def test_a_roll_into_a_broken_class_stops_at_the_first_worker_and_goes_on_when_it_is_mended(
    folder: Path,
    database_url: str,
) -> None:
    with supervised(folder, "--database-url", database_url) as service:
        first = service.all_serve()
        (folder / "broken").touch()
        service.supervisor.send_signal(signal.SIGHUP)
        until(lambda: service.said("worker_ended") >= 2)
        assert service.pid_of("anybody") in first
        (folder / "broken").unlink()
        until(lambda: not first & service.all_serve())


def test_workers_that_outlive_their_supervisor_end_in_order_and_the_next_start_waits_for_them(
    folder: Path, database_url: str
) -> None:
    arguments = ("--database-url", database_url)
    with supervised(folder, *arguments) as service, ThreadPoolExecutor() as threads:
        slow = held_in_an_event(service, threads, folder)
        orphans = list(service.workers().values())
        port = service.served.url.rpartition(":")[2]
        service.supervisor.kill()
        service.served.process.wait()
        following = supervised(folder, *arguments, "--port", port)
        until(lambda: locked_by(folder) == following.served.process.pid)
        (folder / "release").touch()
        assert slow.result().status_code == 200
        with following:
            gone(orphans)
            assert live_workers(database_url) == 2
            assert following.ask("slow", "/kept").text == "kept"
            following.stopped()
    assert live_workers(database_url) == 0


def test_the_embedded_postgres_of_a_killed_supervisor_is_found_in_order(folder: Path) -> None:
    with supervised(folder) as service:
        service.all_serve()
        tree = service.tree()
        service.supervisor.kill()
    with supervised(folder) as service:
        gone(tree)
        service.all_serve()
        assert service.stopped().status == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"STATEROOM_NAMESPACES": "who=who:Nobody"}, "has no class 'Nobody'"),
        ({"STATEROOM_NAMESPACES": "who=nowhere:Who"}, "'nowhere' cannot be imported"),
        ({"STATEROOM_INTERNAL_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
    ],
)
def test_a_worker_that_cannot_start_ends_the_first_start_with_its_line(
    folder: Path, database_url: str, variables: dict[str, str], words: str
) -> None:
    ended = refused(folder, "--database-url", database_url, **variables)
    assert words in ended.err
    assert " Remedy: " in ended.err


def test_a_port_of_links_that_is_taken_ends_the_first_start(
    folder: Path, database_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = refused(
            folder,
            *("--database-url", database_url),
            STATEROOM_INTERNAL_PORT=str(taken.getsockname()[1]),
        )
    assert "cannot listen on 127.0.0.1" in ended.err


def test_a_worker_that_dies_at_the_first_start_ends_it(folder: Path, database_url: str) -> None:
    (folder / "suicide.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    ended = refused(folder, "--database-url", database_url, STATEROOM_NAMESPACES="who=suicide:Who")
    assert "did not start: it was ended by SIGKILL" in ended.err


def test_a_worker_that_has_served_and_dies_while_its_sibling_still_starts_is_started_again(
    folder: Path, database_url: str
) -> None:
    (folder / "hold-1").touch()
    port = free_port()
    service = supervised(folder, "--port", str(port), "--database-url", database_url)
    with ExitStack() as stack:
        stack.callback(service.served.process.terminate)
        service.served.url = f"http://127.0.0.1:{port}"  # it is told once all are ready
        victim = service.pid_of("anybody")
        psutil.Process(victim).kill()
        again = until(lambda: {service.pid_of("anybody")} - {victim}).pop()
        (folder / "hold-1").unlink()
        stack.enter_context(service)
        assert again in service.all_serve()
        assert service.said("worker_ended") == 1
        assert service.stopped().status == 0


def test_a_database_that_is_not_migrated_is_told_once_and_no_worker_is_started(
    folder: Path, empty_url: str
) -> None:
    ended = refused(folder, "--database-url", empty_url)
    assert "error [migration_missing]" in ended.err


def test_a_database_that_does_not_answer_is_told_once(folder: Path) -> None:
    ended = refused(
        folder,
        *("--database-url", "postgresql://me@127.0.0.1:1/rooms"),
        STATEROOM_DATABASE_CONNECT_SECONDS="0.1",
    )
    assert "error [database_unreachable]" in ended.err


def test_a_signal_during_the_start_abandons_it_in_order(folder: Path, database_url: str) -> None:
    (folder / "hold").touch()
    service = supervised(folder, "--database-url", database_url)
    workers = until(lambda: list(service.workers().values()))
    service.served.process.terminate()
    assert service.ended().status == 0
    gone(workers)


def test_processes_that_lose_their_parent_are_reaped(folder: Path, database_url: str) -> None:
    (folder / "adopting.py").write_text(ADOPTING)
    with Supervised(
        folder,
        "--database-url",
        database_url,
        command=[sys.executable, str(folder / "adopting.py")],
        **LONG_LEASE,
    ) as service:
        orphan = psutil.Process(int(service.ask("mother", "/orphan").text))
        until(lambda: orphan.ppid() == service.supervisor.pid)
        orphan.kill()
        until(lambda: not orphan.is_running())
        service.all_serve()


def held_in_an_event(
    service: Supervised, threads: ThreadPoolExecutor, folder: Path
) -> "Future[httpx.Response]":
    """Ask an object something that it answers only when the file `release` is there."""
    service.all_serve()
    slow = threads.submit(service.ask, "slow", "/slow")
    until((folder / "entered").exists)
    return slow


def refused(folder: Path, *arguments: str, **variables: str) -> Ended:
    """A start that fails: one line of ours, and nothing left."""
    service = supervised(folder, *arguments, **variables)
    ended = service.ended()
    assert ended.status == 1
    assert ended.err.count("stateroom: error") == 1, ended.err
    assert "Traceback" not in ended.err
    assert "Stateroom is ready" not in ended.out
    return ended


def refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez", timeout=1.0)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False
    return False


def locked_by(folder: Path) -> int:
    """The process that holds the data directory's lock, by its own word."""
    return int((folder / ".stateroom" / "lock").read_text("ascii").strip() or 0)


def listens(pid: int) -> bool:
    """Whether a process still has a socket that takes clients."""
    found = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_LISTEN for each in found) > 1  # one is for links
