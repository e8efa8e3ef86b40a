"""Base images made on this machine, under the names of the official ones.

Where no image registry can be reached, the Dockerfile and the compose files are tried on Debian's
own Python, Postgres and HAProxy: one root file system by mmdebstrap, and three thin images on it
that take over what our files rely on (users, entry points, variables). They are smaller in what
they prove: the versions are Debian's.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.containers.engine import CommandFailed, Engine, NotRun

PYTHON_VERSION: Final = "3.11"
"""Debian's; the Dockerfile takes it as a build argument."""
OFFICIAL_PYTHON: Final = "3.13"

_SUITE: Final = "bookworm"
_BASE: Final = "stateroom-stand-in"
_PACKAGES: Final = (
    "ca-certificates",
    "haproxy",
    "postgresql-15",
    "python3",
    "python3-dev",
    "python3-venv",
)
_OTHER_IMAGES: Final = ("postgres:17-bookworm", "haproxy:3.0-bookworm")
_MACHINE_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")

# The root file system trusts whom this machine trusts: its way out may lead through a proxy.
_PYTHON: Final = f"""
FROM {_BASE}
COPY authorities.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN ln -s /usr/bin/python3 /usr/local/bin/python
"""
_HAPROXY: Final = f"""
FROM {_BASE}
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
"""
# What the official entry point does with the variables that we give, for its user 999.
_POSTGRES: Final = f"""
FROM {_BASE}
RUN useradd --uid 999 --user-group --home-dir /var/lib/postgresql postgres-official \\
    && install --directory --owner 999 --group 999 /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
COPY entry.sh /usr/local/bin/entry.sh
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/entry.sh"]
"""
_POSTGRES_ENTRY: Final = """
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
    initdb --username "$POSTGRES_USER" --pwfile /tmp/password --auth-host scram-sha-256
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options '-c listen_addresses=' start
    createdb --username "$POSTGRES_USER" "$POSTGRES_DB" || true
    pg_ctl --wait --mode fast stop
fi
exec "$@" -c listen_addresses='*'
"""


def base_images(engine: Engine, folder: Path) -> tuple[str, bool]:
    """Make sure that every base image is there, official or made here.

    Returns:
        The version of Python to build with, and whether the images are stand-ins.

    Raises:
        NotRun: The registry cannot be reached and nothing can be made here, or containers cannot
            do here what the test needs.
    """
    try:
        for image in (f"python:{OFFICIAL_PYTHON}-slim-bookworm", *_OTHER_IMAGES):
            if not engine.docker("images", "--quiet", image):
                engine.docker("pull", "--quiet", image)
    except CommandFailed:
        _make(engine, folder)
        version, stand_ins = PYTHON_VERSION, True
    else:
        version, stand_ins = OFFICIAL_PYTHON, False
    _look_whether_containers_can_work(engine, f"python:{version}-slim-bookworm")
    return version, stand_ins


def _look_whether_containers_can_work(engine: Engine, image: str) -> None:
    """A machine may have an engine and still give its containers too little."""
    confined = ("--rm", "--read-only", "--cap-drop", "ALL", "--memory", "64m", "--cpus", "1")
    fetch = "python -m venv /tmp/v && /tmp/v/bin/pip download --no-deps --dest /tmp hatchling"
    for what, command in {
        "run": (*confined, image, "true"),
        "reach the package index": ("--rm", image, "sh", "-c", fetch),
    }.items():
        try:
            engine.docker("run", *command)
        except CommandFailed as failure:
            raise NotRun(f"containers cannot {what} here: {str(failure)[-400:]}") from failure


def _make(engine: Engine, folder: Path) -> None:
    if not engine.docker("images", "--quiet", _BASE):
        _import_base(engine, folder)
    _build(engine, folder, f"python:{PYTHON_VERSION}-slim-bookworm", _PYTHON)
    _build(engine, folder, "postgres:17-bookworm", _POSTGRES)
    _build(engine, folder, "haproxy:3.0-bookworm", _HAPROXY)


def _import_base(engine: Engine, folder: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise NotRun("no image registry answers, and there is no mmdebstrap to make images with")
    archive = folder / "root.tar"
    packages = ",".join(_PACKAGES)
    ended = subprocess.run(
        ["mmdebstrap", "--variant=minbase", f"--include={packages}", _SUITE, archive],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise NotRun(f"no image registry answers, and mmdebstrap failed: {ended.stderr[-300:]}")
    engine.docker("import", str(archive), f"{_BASE}:latest")
    archive.unlink()


def _build(engine: Engine, folder: Path, image: str, dockerfile: str) -> None:
    context = folder / image.partition(":")[0]
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(dockerfile, "utf-8")
    (context / "entry.sh").write_text(_POSTGRES_ENTRY, "utf-8")
    if _MACHINE_AUTHORITIES.exists():
        shutil.copy(_MACHINE_AUTHORITIES, context / "authorities.crt")
    engine.docker("build", "--quiet", "--tag", image, str(context))
