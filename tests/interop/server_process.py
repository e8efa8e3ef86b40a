"""A TinyBase server in a process of its own, to kill and start again on the same data.

Two recipes: our own server as users start it, and TinyBase's `createWsServer`, against which the
tests themselves were proved. Both print a line with `http://127.0.0.1:PORT` when they listen and
answer /readyz. The methods block the calling thread; the clients live in another process, so
nothing waits on the event loop meanwhile.
"""

import http.client
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .node_toolchain import NODE_FOLDER, node_executable

RELAY_PREFIX = "relay/"
"""Rooms under it follow the reference's relay rules to the letter (our `sync=relay`)."""
EPHEMERAL_PREFIX = "ephemeral/"
"""Rooms under it are relay-only: no replica, nothing kept (our `durability=none`)."""

START_DEADLINE_SECONDS = 60
STOP_DEADLINE_SECONDS = 30
REQUEST_DEADLINE_SECONDS = 10
READY_POLL_SECONDS = 0.05
KEPT_OUTPUT_LINES = 400
PROJECT_FOLDER = Path(__file__).parents[2]

_READY_LINE = re.compile(r"http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecipe:
    """How to start one kind of server; `{port}` and `{data}` are filled in at each start."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def our_server() -> ServerRecipe:
    """Return the recipe of our server, with a namespace for each kind of room."""
    room_class = "stateroom.tinybase:TinyBaseRoom"
    return ServerRecipe(
        command=[
            *(sys.executable, "-m", "stateroom", "serve"),
            *("--host", "127.0.0.1", "--port", "{port}", "--data-dir", "{data}"),
        ],
        environment={
            "STATEROOM_NAMESPACES": (
                f"relay={room_class}?sync=relay,ephemeral={room_class}?durability=none"
            ),
            "STATEROOM_LEASE_SECONDS": "20",  # a busy machine must not end one
            "STATEROOM_ROUTES": "relay/**=relay,ephemeral/**=ephemeral,**=tinybase",
        },
    )


def example_server(folder: str, target: str, namespace: str = "tinybase") -> ServerRecipe:
    """Return the recipe of our server with the class of an example, mounted as its page says.

    Args:
        folder: The example's folder in `examples`.
        target: The class in it, as `module:Class`.
        namespace: Where it is mounted; all rooms belong to it.
    """
    ours = our_server()
    return ServerRecipe(
        command=[*ours.command, "--app-dir", str(PROJECT_FOLDER / "examples" / folder)],
        environment={
            **ours.environment,
            "STATEROOM_NAMESPACES": f"{namespace}={target}",
            "STATEROOM_ROUTES": f"**={namespace}",
        },
    )


def reference_server() -> ServerRecipe:
    """Return the recipe of TinyBase's own server. Its packages must be installed."""
    return ServerRecipe(
        command=[
            str(node_executable()),
            str(NODE_FOLDER / "reference_server.mjs"),
            "{port}",
            "{data}",
        ],
    )


class ServerProcess:
    """One server process after another, on one data directory and, once known, one port."""

    def __init__(self, recipe: ServerRecipe, **variables: str) -> None:
        self._recipe = recipe
        self._variables = variables
        # Not pytest's folder: a database server that drops its privileges must get through.
        self._data_folder = Path(tempfile.mkdtemp(prefix="stateroom-interop-"))
        self._data_folder.chmod(0o711)
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._output: deque[str] = deque(maxlen=KEPT_OUTPUT_LINES)

    @property
    def pid(self) -> int:
        """The process that was started; with several workers, their supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """The base of all room addresses, without a slash at its end. The same after a restart."""
        return f"ws://127.0.0.1:{self._port}"

    def room_url(self, path: str) -> str:
        """Return the address of the room `path`, which is put into the URL as it is."""
        return f"{self.url}/{path}"

    def start(self) -> None:
        """Start the server and return when it is ready. Raises RuntimeError if it is not."""
        port, data = str(self._port), str(self._data_folder / "data")
        self._process = subprocess.Popen(
            [part.format(port=port, data=data) for part in self._recipe.command],
            cwd=PROJECT_FOLDER,
            env={**os.environ, **self._recipe.environment, **self._variables},  # noqa: TID251 - a child inherits PATH and the like
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        ports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self._process.stdout, ports), daemon=True).start()
        try:
            found = ports.get(timeout=START_DEADLINE_SECONDS)
        except queue.Empty:
            found = None
        if found is None:
            self._destroy()
            raise RuntimeError(f"the server said no address; its output:\n{self.output()}")
        self._port = found
        self._await_ready()

    def kill(self) -> None:
        """End the server by SIGKILL, in the middle of whatever it does."""
        self._destroy()

    def restart(self) -> None:
        """Kill the server by SIGKILL and start it again on the same data and port."""
        self.kill()
        self.start()

    def close(self) -> None:
        """Ask the server to stop and remove its data. Raises AssertionError if it hangs."""
        process, hung = self._process, False
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                hung = True
            self._destroy()
        shutil.rmtree(self._data_folder, ignore_errors=True)
        assert not hung, f"the server ignored SIGTERM; its output:\n{self.output()}"

    def output(self) -> str:
        """Return the last lines that the server wrote, for error messages."""
        return "\n".join(self._output)

    def _read(self, stream: IO[str], ports: "queue.SimpleQueue[int | None]") -> None:
        for line in stream:
            self._output.append(line.rstrip("\n"))
            if match := _READY_LINE.search(line):
                ports.put(int(match[1]))
        ports.put(None)
        stream.close()

    def _await_ready(self) -> None:
        pause = threading.Event()
        for _ in range(int(START_DEADLINE_SECONDS / READY_POLL_SECONDS)):
            if self.request("/readyz")[0] == http.client.OK:
                return
            pause.wait(READY_POLL_SECONDS)
        raise RuntimeError(f"the server never became ready; its output:\n{self.output()}")

    def until_told(self, what: str, times: int = 1) -> None:
        """Wait until the server's output has that many lines with `what` in them."""
        pause = threading.Event()
        for _ in range(int(START_DEADLINE_SECONDS / READY_POLL_SECONDS)):
            if self.told(what) >= times:
                return
            pause.wait(READY_POLL_SECONDS)
        raise AssertionError(f"the server never told {what!r}; its output:\n{self.output()}")

    def told(self, what: str) -> int:
        """How many of its last lines have `what` in them."""
        return sum(what in line for line in list(self._output))

    def request(self, path: str, *, method: str = "GET", body: str = "") -> tuple[int, bytes]:
        """Send an HTTP request; return the status and the body of the answer."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=REQUEST_DEADLINE_SECONDS
        )
        try:
            connection.request(method, path, body.encode() or None)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _destroy(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
