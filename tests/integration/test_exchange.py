"""An answer that is read while its question is still asked, against sockets that misbehave."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from app.cli.admin_client import AdminClient, ServerRefused, ServerUnreachable
from app.cli.exits import ExitStatus

LARGE = 32 << 20
"""More than the buffers of two sockets hold."""
OK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
Script = Callable[[socket.socket], None]
StartServer = Callable[[Script], AdminClient]


@pytest.fixture
def serve() -> Iterator[StartServer]:
    """Starts a server that takes one connection and does with it what the test says."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def start(script: Script) -> AdminClient:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            taken, _ = listener.accept()
            with closing(taken):
                script(taken)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return AdminClient(f"http://127.0.0.1:{listener.getsockname()[1]}", "a-token")

    yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for listener in listeners:
        listener.close()


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def upload(client: AdminClient, body: Iterator[bytes]) -> list[bytes]:
    with client, client.upload("/import", body, media_type="application/x-ndjson") as answer:
        return list(answer)


def read_until(taken: socket.socket, end: bytes) -> None:
    got = b""
    while not got.endswith(end):
        piece = taken.recv(1 << 16)
        assert piece, "the client hung up"
        got = (got + piece)[-1_000:]


def test_a_large_answer_is_read_before_a_large_body_is_sent(serve: StartServer) -> None:
    """The server reads on when its answer is taken: one after the other would wait for ever."""

    def script(taken: socket.socket) -> None:
        taken.recv(1 << 16)
        taken.sendall(OK)
        for _ in range(LARGE >> 20):
            taken.sendall(chunk(bytes(1 << 20)))
        read_until(taken, b"0\r\n\r\n")
        taken.sendall(b"0\r\n\r\n")

    body = (bytes(1 << 20) for _ in range(LARGE >> 20))
    assert sum(map(len, upload(serve(script), body))) == LARGE


def test_a_refusal_in_the_middle_of_the_body_is_told(serve: StartServer) -> None:
    problem = b'{"code":"role_too_low","title":"No","status":403}'

    def script(taken: socket.socket) -> None:
        taken.recv(1 << 16)
        head = b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        taken.sendall(head % len(problem) + problem)
        taken.shutdown(socket.SHUT_WR)
        while taken.recv(1 << 16):
            pass

    def body() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(1 << 16)

    with pytest.raises(ServerRefused) as caught:
        upload(serve(script), body())
    assert (caught.value.code, caught.value.status) == ("role_too_low", ExitStatus.REFUSED)


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\n", OK + chunk(b"some"), b"nonsense\r\n\r\n"]
)
def test_an_answer_that_breaks_off_is_no_answer(serve: StartServer, said: bytes) -> None:
    def script(taken: socket.socket) -> None:
        read_until(taken, b"0\r\n\r\n")
        taken.sendall(said)

    with pytest.raises(ServerUnreachable):
        upload(serve(script), iter([b"x"]))


def test_nobody_there_is_told_at_once() -> None:
    with pytest.raises(ServerUnreachable):
        upload(AdminClient("http://127.0.0.1:1", "a-token"), iter([b"x"]))


def test_whoever_stops_reading_ends_the_exchange(serve: StartServer) -> None:
    hung_up = threading.Event()

    def script(taken: socket.socket) -> None:
        read_until(taken, b"0\r\n\r\n")
        taken.sendall(OK + chunk(b"some"))
        while taken.recv(1 << 16):
            pass
        hung_up.set()

    def script_until_reset(taken: socket.socket) -> None:
        try:
            script(taken)
        except ConnectionResetError:
            hung_up.set()

    client = serve(script_until_reset)
    with client, client.upload("/import", iter([b"x"]), media_type="text/plain") as answer:
        assert next(answer) == b"some"
    assert hung_up.wait(60)
