"""`python -m bench.joiners PORT PATH COUNT BYTES`: many sockets that join one room at once.

A process of its own, which only counts bytes: 500 real clients would take the machine for
themselves. Each socket shakes hands, asks the replica for its hashes and waits for the answer;
then READY is printed. A line on standard input lets all of them ask for all tables together; a
socket is done when it has BYTES more, and at last the seconds until the first and the last one
was done are printed. With BYTES 0 there is one socket, and what is printed are the bytes that had
come when nothing more came for a while.
"""

from __future__ import annotations

import base64
import os
import selectors
import socket
import sys
import time

from bench.client import HOST
from bench.frames import handshake, masked
from bench.hlc import digits
from bench.messages import GET_CONTENT_HASHES, GET_TABLE_DIFF, question

_QUIET_SECONDS = 1.0
_LIMIT_SECONDS = 300.0
_BUFFER_BYTES = 1 << 18


def ask_hashes(number: int) -> bytes:
    """Return the frame that asks for the replica's hashes."""
    return masked(question(digits(number, 16), GET_CONTENT_HASHES, ""))


def ask_tables(number: int) -> bytes:
    """Return the frame that asks for all tables."""
    return masked(question(digits(number, 16), GET_TABLE_DIFF, {}))


def connect(port: int, path: str, number: int) -> socket.socket:
    """Return a socket that has joined and knows the replica's hashes."""
    client = socket.create_connection((HOST, port), timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(handshake(HOST, port, path, key))
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(4096)
    client.sendall(ask_hashes(number))
    rest = answer.partition(b"\r\n\r\n")[2]
    while not rest.endswith(b"]]"):
        rest += client.recv(4096)
    client.settimeout(0)
    return client


def join(clients: list[socket.socket], size: int) -> tuple[float, float, int]:
    """Let all ask; return the seconds until the first and the last was done, and all bytes.

    Raises:
        RuntimeError: They did not get as much in five minutes, or one was closed.
    """
    buffer, had = bytearray(_BUFFER_BYTES), dict.fromkeys(clients, 0)
    waiting = selectors.DefaultSelector()
    for client in clients:
        waiting.register(client, selectors.EVENT_READ)
    begun = time.perf_counter()
    first = last = 0.0
    for number, client in enumerate(clients):
        client.send(ask_tables(number))
    while waiting.get_map():
        ready = waiting.select(_QUIET_SECONDS)
        if not ready and not size:
            break
        if time.perf_counter() - begun > _LIMIT_SECONDS:
            raise RuntimeError(f"{len(waiting.get_map())} joiners lack something")
        for key, _ in ready:
            client = key.fileobj  # type: ignore[assignment]  # what was registered
            count = client.recv_into(buffer)
            if not count:
                raise RuntimeError(f"a joiner was closed after {had[client]} of {size} bytes")
            had[client] += count
            last = time.perf_counter() - begun
            if size and had[client] >= size:
                first = first or last
                waiting.unregister(client)
    return first, last, sum(had.values())


def main() -> None:
    """Join, and tell."""
    port, path, count, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    clients = [connect(port, path, number) for number in range(count)]
    print("READY", flush=True)
    sys.stdin.readline()
    print(*join(clients, size), flush=True)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
