import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

PROGRAM = Path(__file__).with_name("served_by_cli.py")
DEADLINE_SECONDS = 20

Start = Callable[..., "Program"]


class Program:
    """The test program in a process of its own, read line by line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def url(self) -> str:
        assert self.line() == "starting"
        word, _, url = self.line().partition(" ")
        assert word == "ready"
        return url

    def end(self) -> tuple[int, list[str], str]:
        out, err = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, out.split("\n")[:-1], err


@pytest.fixture
def start() -> Iterator[Start]:
    programs: list[Program] = []

    def begin(*arguments: str) -> Program:
        programs.append(Program(*arguments))
        return programs[-1]

    yield begin
    for program in programs:
        program.process.kill()
        program.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_in_order_with_status_0(
    start: Start, number: signal.Signals
) -> None:
    program = start("0")
    assert httpx.get(program.url()).text == "here"
    program.process.send_signal(number)
    assert program.end()[:2] == (0, ["stopping", "stopped"])


def test_the_service_stops_while_sockets_are_still_open_and_new_ones_are_refused(
    start: Start,
) -> None:
    program = start("0", "slow-stop")
    url = program.url()
    with connect(url.replace("http", "ws")) as open_socket:
        program.process.send_signal(signal.SIGTERM)
        assert program.line() == "stopping"
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        open_socket.ping().wait(DEADLINE_SECONDS)
        program.process.send_signal(signal.SIGTERM)
        assert program.end()[0] == 1


def test_a_second_signal_forces_the_end_with_status_1(start: Start) -> None:
    program = start("0", "slow-stop")
    program.url()
    program.process.send_signal(signal.SIGINT)
    assert program.line() == "stopping"
    program.process.send_signal(signal.SIGINT)
    status, lines, _ = program.end()
    assert (status, lines) == (1, [])


def test_code_that_does_not_heed_its_end_does_not_keep_the_process(start: Start) -> None:
    program = start("0", "stubborn")
    program.url()
    program.process.send_signal(signal.SIGTERM)
    status, lines, _ = program.end()
    assert (status, lines[:2]) == (1, ["stopping", "stopped"])
    assert "tasks_do_not_end" in lines[2]


def test_a_signal_during_the_start_abandons_it(start: Start) -> None:
    program = start("0", "slow-start")
    assert program.line() == "starting"
    program.process.send_signal(signal.SIGTERM)
    assert program.end()[:2] == (0, ["stopping", "stopped"])


def test_a_taken_port_is_one_line_with_the_remedy_and_nothing_is_started(
    start: Start,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, lines, errors = start(str(port)).end()
    assert (status, lines) == (1, [])
    assert errors == (
        f"stateroom: error [port_taken]: Port {port} of 127.0.0.1 is already in use. "
        "Remedy: Stop the other program or choose another --port.\n"
    )


def test_a_start_that_the_user_can_mend_is_one_line_and_the_service_is_stopped(
    start: Start,
) -> None:
    status, lines, errors = start("0", "failing-start").end()
    assert (status, lines) == (1, ["starting", "stopping", "stopped"])
    assert errors.startswith(
        "stateroom: error [database_unreachable]: no answer from the database. Remedy: "
    )
    assert errors.count("\n") == 1


def test_a_fault_of_ours_is_one_line_without_a_traceback_unless_asked_for(
    start: Start,
) -> None:
    _, _, errors = start("0", "faulty-start").end()
    assert errors.startswith("stateroom: error [internal]: RuntimeError: a fault of ours.")
    assert errors.count("\n") == 1
    _, _, errors = start("0", "faulty-start", "--debug").end()
    assert "Traceback" in errors
