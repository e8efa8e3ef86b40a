"""A real PgBouncer, in transaction mode unless told, and as hard on us as it can be.

Server connections are handed out in turn, so even one client meets another backend at every
statement. Comes from the system: `apt-get install pgbouncer`.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

SERVERS = 3
_START_SECONDS = 30.0
MISSING = "pgbouncer is not installed; on Debian: apt-get install pgbouncer"

_CONFIG = """
[databases]
* = host={host} port=5432 user=stateroom
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {servers}
min_pool_size = {servers}
server_round_robin = {in_turn}
max_client_conn = 200
ignore_startup_parameters =
logfile = {log}
"""


def find_pgbouncer() -> str | None:
    """Return the binary of the system's package, or None."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer:
    """One process; `start` and `stop` it."""

    def __init__(
        self, url: str, folder: Path, *, mode: str = "transaction", in_turn: bool = True
    ) -> None:
        self._url = url
        self._mode = mode
        self._in_turn = in_turn
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it listens."""
        binary = find_pgbouncer()
        if binary is None:
            pytest.fail(MISSING)
        self._folder.mkdir(exist_ok=True)
        self._folder.chmod(0o777)
        config = self._folder / "pgbouncer.ini"
        host = parse_qs(urlsplit(self._url).query)["host"][0]
        config.write_text(
            _CONFIG.format(
                host=host,
                port=self._port,
                servers=SERVERS,
                log=self._folder / "pgbouncer.log",
                mode=self._mode,
                in_turn=int(self._in_turn),
            )
        )
        # It refuses to run as root, and the server's socket is open to the server's user only.
        other_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            other_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self._process = subprocess.Popen(
            [binary, str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **other_user,
        )
        self._wait_until_it_listens()

    def kill(self) -> None:
        """End it by SIGKILL; `start` brings it back at the same port."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _START_SECONDS  # noqa: TID251 - no event loop runs here
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, "pgbouncer does not listen"  # noqa: TID251
                time.sleep(0.01)
            else:
                return

    def database_url(self, name: str) -> str:
        return f"postgresql://stateroom@127.0.0.1:{self._port}/{name}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
