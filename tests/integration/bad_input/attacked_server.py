"""`stateroom serve` in a process of its own, as users start it, with its log kept whole.

A test attacks it and then asks `assert_quiet`: nothing in the log may be an error or a traceback.
"""

import http.client
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from app.core.codec import parse_json
from tests.integration.command_line import environment
from tests.integration.web.patience import until

PROJECT = Path(__file__).parents[3]
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_READY = re.compile(r"http://127\.0\.0\.1:(\d+)")
_LOUD = ("error", "critical")


class AttackedServer:
    """One server process after another on one data directory and port.

    Args:
        environment: Settings, as variables.
        prefix: Words before the Python interpreter, to start it under something.
        program: What the interpreter runs, in place of `-m stateroom`.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        prefix: Sequence[str] = (),
        program: Sequence[str] = ("-m", "stateroom"),
    ) -> None:
        # Not pytest's folder: a database server that drops its privileges must get through.
        self.folder = Path(tempfile.mkdtemp(prefix="stateroom-attacked-"))
        self.folder.chmod(0o711)
        self.port = 0
        self.log = self.folder / "log"
        self._environment = dict(environment or {})
        self._prefix = tuple(prefix)
        self._program = tuple(program)
        self._process: subprocess.Popen[str] | None = None
        self._last_rss = 0
        self._settled = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and return when it is ready."""
        command = [
            *(*self._prefix, sys.executable, *self._program),
            *("serve", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--data-dir", str(self.folder / "data")),
        ]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=environment(STATEROOM_LOG_FORMAT="json", **self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        ports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self._process, ports), daemon=True).start()
        found = ports.get(timeout=START_SECONDS)
        assert found is not None, self.log.read_text()
        self.port = found

    def kill(self) -> None:
        """End it by SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Ask it to stop and remove its data. Raises AssertionError if it hangs."""
        process, hung = self._process, False
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                hung = True
                process.kill()
                process.wait()
        text = self.log.read_text()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not hung, f"it ignored SIGTERM:\n{text[-3000:]}"

    def rss_bytes(self) -> int:
        """Memory of the worker itself, without the database's."""
        memory: int = psutil.Process(self.pid).memory_info().rss
        return memory

    async def rss_below(self, limit_bytes: int, *, seconds: float = 20.0) -> None:
        """Wait until the memory is under a limit."""
        await until(lambda: self.rss_bytes() < limit_bytes, seconds=seconds)

    def settled_rss(self) -> bool:
        """Whether the memory has not changed since the last time this was asked, for long."""
        now = self.rss_bytes()
        self._settled = self._settled + 1 if abs(now - self._last_rss) < 1 << 18 else 0
        self._last_rss = now
        return self._settled > 30

    @contextmanager
    def database_standing_still(self) -> Iterator[None]:
        """Stop every process of the database during the block."""
        family = psutil.Process(self.pid).children(recursive=True)
        database = [each for each in family if each.name().startswith("postgres")]
        assert database
        for each in database:
            each.suspend()
        try:
            yield
        finally:
            for each in database:
                each.resume()

    def loud_lines(self) -> list[str]:
        """What the log says that a client must not be able to make it say."""
        return [
            line[:4_000]
            for line in self.log.read_text(errors="replace").splitlines()
            if "Traceback" in line or not line.startswith("{") or _level(line) in _LOUD
        ]

    def assert_quiet(self) -> None:
        """It lives, and has logged neither an error nor a traceback."""
        assert self.alive
        loud = self.loud_lines()
        assert not loud, "\n".join(loud[:5])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == http.client.OK
        finally:
            connection.close()

    def _read(
        self, process: "subprocess.Popen[str]", ports: "queue.SimpleQueue[int | None]"
    ) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if match := _READY.search(line):
                ports.put(int(match[1]))
        ports.put(None)
        process.stdout.close()


def _level(line: str) -> str:
    level: str = parse_json(line).get("level", "")
    return level
