"""A Docker daemon and a compose command: the machine's, or a daemon started for this run.

A daemon that answers is used as it is. Where none does and we are root, `dockerd` is started on
data of its own and ended again, so that a machine without a service manager can run the test.
Whatever is missing is `NotRun`, with the reason: never a success.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 60
_COMMAND_SECONDS: Final = 900


class NotRun(Exception):
    """The test could not begin; the text is the reason."""


class CommandFailed(Exception):
    """A command of the engine ended with another status than 0; the text is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Commands that reach one daemon.

    Attributes:
        client: The client's program.
        compose_command: How compose is called: a plug-in of the client, or a program of its own.
        environment: What both are given.
    """

    client: str
    compose_command: tuple[str, ...]
    environment: Mapping[str, str]

    def docker(self, *arguments: str, stdin: Path | None = None) -> str:
        """Run the client and return what it prints. Raises CommandFailed."""
        return self._run((self.client, *arguments), Path.cwd(), stdin, self.environment)

    def compose(self, folder: Path, *arguments: str, **variables: str) -> str:
        """Run compose on the files of a folder and return what it prints. Raises CommandFailed."""
        given = {**self.environment, **variables}
        return self._run((*self.compose_command, *arguments), folder, None, given)

    @staticmethod
    def _run(
        command: Sequence[str], folder: Path, stdin: Path | None, environment: Mapping[str, str]
    ) -> str:
        with (stdin or Path(os.devnull)).open("rb") as source:
            ended = subprocess.run(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=source,
                capture_output=True,
                text=True,
                check=False,
                timeout=_COMMAND_SECONDS,
            )
        if ended.returncode != 0:
            said = f"{ended.stdout}\n{ended.stderr}".strip().splitlines()[-25:]
            raise CommandFailed("\n".join([f"$ {' '.join(command)}: {ended.returncode}", *said]))
        return ended.stdout


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """Find a daemon, or run one with its data below `folder`. Raises NotRun."""
    environment = dict(os.environ)  # noqa: TID251 - handed on to the programs of the engine
    # The classic builder: compose and the client agree on it in every version.
    environment |= {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    client = shutil.which("docker", path=f"/usr/bin:{environment.get('PATH', '')}")
    if client is None:
        raise NotRun("there is no docker (Debian: apt install docker.io docker-compose)")
    if _answers(client, environment):
        yield _with_compose(client, environment)
        return
    daemon = shutil.which("dockerd", path=f"{environment.get('PATH', '')}:/usr/sbin")
    if daemon is None or os.geteuid() != 0:
        raise NotRun("no Docker daemon answers, and only root can start one (with dockerd)")
    with _own_daemon(daemon, folder, client, environment) as own:
        yield _with_compose(client, own)


@contextmanager
def _own_daemon(
    daemon: str, folder: Path, client: str, environment: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    address = f"unix://{folder}/docker.sock"
    own = {**environment, "DOCKER_HOST": address}
    log_path = folder / "dockerd.log"
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "dockerd.pid"}
    options = [f"--{option}={folder / name}" for option, name in places.items()]
    with log_path.open("wb") as log:
        process = subprocess.Popen([daemon, "-H", address, *options], stdout=log, stderr=log)
    try:
        for _ in range(_START_SECONDS * 2):
            if process.poll() is not None:
                said = log_path.read_text("utf-8", "replace").strip().splitlines()[-1:]
                raise NotRun(f"dockerd cannot run here: {' '.join(said)}")
            if _answers(client, own):
                break
            time.sleep(0.5)
        else:
            raise NotRun("dockerd does not answer")
        yield own
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(client: str, environment: Mapping[str, str]) -> bool:
    return _succeeds([client, "version", "--format", "{{.Server.Version}}"], environment)


def _with_compose(client: str, environment: Mapping[str, str]) -> Engine:
    for command in ((client, "compose"), ("docker-compose",)):
        if shutil.which(command[0]) and _succeeds([*command, "version"], environment):
            return Engine(client=client, compose_command=command, environment=environment)
    raise NotRun("there is no docker compose (Debian: apt install docker-compose)")


def _succeeds(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    ended = subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    return ended.returncode == 0
