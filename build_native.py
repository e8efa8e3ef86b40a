"""Compiles the modules that every message goes through, with mypyc.

The sources are the pure Python twin: nothing is written twice, and without a compiler everything
runs as it is. `python build_native.py` compiles into this checkout, beside the sources;
`hatch_build.py` compiles for a wheel, where `app` is `stateroom.app`. How stale modules are kept
from being used is told in `app/native.py`.

What may be in `MODULES`: no base class of interpreted classes, nothing that is held weakly, no
exception that inherits from one that mypyc cannot lay out (RuntimeError).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_config_var

MODULES = (
    "cluster/lease",
    "core/clock",
    "core/codec",
    "core/frames",
    "core/storage_codec",
    "room/buffer",
    "room/alarm_storage",
    "room/cache",
    "room/commits",
    "room/connections",
    "room/context",
    "room/effects",
    "room/entries",
    "room/event_ends",
    "room/events",
    "room/gate",
    "room/mailbox",
    "room/meter",
    "room/outputs",
    "room/storage",
    "room/storage_parts",
    "room/unit",
    "store/commit_path",
    "store/commit_statement",
    "store/committer",
    "store/wire",
    "store/wire_values",
    "tinybase/bodies",
    "tinybase/cell_change",
    "tinybase/cell_frames",
    "tinybase/clock",
    "tinybase/former",
    "tinybase/hashing",
    "tinybase/layout",
    "tinybase/refusals",
    "tinybase/replica",
    "tinybase/routing",
    "tinybase/row_bytes",
    "tinybase/stamps",
    "tinybase/table",
    "tinybase/wire",
)
"""Chosen by measurement: see docs/decisions/0033-compiled-modules.md."""

ROOT = Path(__file__).resolve().parent
LIST_NAME = "native.sha256"
LIBRARY = "compiled"
REQUIREMENTS = ["mypy>=2,<3", "setuptools>=65"]

_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
library, *paths = sys.argv[1:]
extensions = mypycify(
    ["--config-file=mypy.ini", *paths], opt_level="3", debug_level="0", group_name=library
)
setup(name="native", ext_modules=extensions, script_args=["-q", "build_ext", "--inplace"])
"""
# Not strict: a build need not have what we depend on, and what is missing has no types.
_MYPY = """
[mypy]
explicit_package_bases = true
namespace_packages = true
ignore_missing_imports = true
follow_untyped_imports = false
disable_error_code = unused-ignore
"""


class NotCompiled(Exception):
    """There is no compiler, or it has failed; the text says what is missing."""


def tools_missing() -> str | None:
    """Return what keeps this machine from compiling, mypyc apart; None if nothing does."""
    compiler = (os.environ.get("CC") or get_config_var("CC") or "cc").split()[0]
    return None if shutil.which(compiler) else f"no C compiler ({compiler})"


def compile_for(package: str, root: Path, folder: Path) -> Iterator[Path]:
    """Compile the modules of `root`/app in `folder`, where the package `package` is laid out.

    Yields each file that belongs into the package, relative to its folder.

    Raises:
        NotCompiled: It could not be done.
    """
    if missing := tools_missing():
        raise NotCompiled(missing)
    if find_spec("mypyc") is None or find_spec("setuptools") is None:
        raise NotCompiled(f"no {' and '.join(REQUIREMENTS)}")
    place = folder / package.replace(".", "/")
    shutil.copytree(root / "app", place, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    sources = [f"{name}.py" for name in MODULES]
    (folder / "mypy.ini").write_text(_MYPY, "utf-8")
    (folder / "setup.py").write_text(_SETUP, "utf-8")
    paths = [(place / source).relative_to(folder).as_posix() for source in sources]
    ended = subprocess.run(  # noqa: S603 - our own script, in our own folder
        [sys.executable, "setup.py", f"{package}.{LIBRARY}", *paths],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise NotCompiled(_last_error(ended.stdout + ended.stderr))
    (place / LIST_NAME).write_text(_list_of(place), "utf-8")
    yield Path(LIST_NAME)
    yield from (path.relative_to(place) for path in sorted(place.rglob("*.so")))


def remove(folder: Path) -> None:
    """Remove everything compiled from the folder of a package."""
    (folder / LIST_NAME).unlink(missing_ok=True)
    for path in folder.rglob("*.so"):
        path.unlink()


def is_current(folder: Path) -> bool:
    """Whether what is compiled in the folder of a package is what would be compiled now."""
    try:
        listed = (folder / LIST_NAME).read_text("utf-8")
    except FileNotFoundError:
        return False
    made = [folder / f"{name}{get_config_var('EXT_SUFFIX')}" for name in MODULES]
    return listed == _list_of(folder) and all(path.exists() for path in made)


def main() -> None:
    """Compile into this checkout; the old modules are gone before the new ones are there.

    With `--remove` they are only gone.
    """
    folder = ROOT / "app"
    if "--remove" in sys.argv[1:]:
        remove(folder)
        return
    if is_current(folder):
        print("compiled already")  # noqa: T201 - this is a command
        return
    with tempfile.TemporaryDirectory(prefix="stateroom-native-") as name:
        try:
            made = list(compile_for("app", ROOT, Path(name)))
        except NotCompiled as error:
            sys.exit(f"not compiled: {error}")
        remove(folder)
        made.sort(key=lambda path: path.name == LIST_NAME)  # the list comes last
        for path in made:
            shutil.copy2(Path(name) / "app" / path, folder / path)
    print(f"compiled {len(MODULES)} modules")  # noqa: T201 - this is a command


def _list_of(folder: Path) -> str:
    """The sources of the modules with their digests, as `sha256sum` prints them."""
    sources = [f"{name}.py" for name in MODULES]
    return "".join(
        f"{sha256((folder / each).read_bytes()).hexdigest()}  {each}\n" for each in sources
    )


def _last_error(output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line.lower()]
    return (lines or output.splitlines() or ["it ended without a word"])[-1].strip()


if __name__ == "__main__":
    main()
