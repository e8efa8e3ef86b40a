"""Compiled modules: which there are, and that each is its source and no older one.

A build may compile the modules that every message goes through (see build_native.py). They lie
beside their sources, and Python prefers them. A list beside this file names each with the digest
of the source that it was made from, in the form of `sha256sum`. Before the first of them is
imported the sources are compared with the list: unless all are there and all fit, the sources are
imported and no compiled module is. They hold references to one another, so it is all or none.
"""

import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

LIST_NAME: Final = "native.sha256"
LIBRARY: Final = "compiled__mypyc"
"""The module that holds the code of all the others."""


class Build(Enum):
    """What runs; the value is what people are told."""

    NATIVE = "native"
    PURE = "pure Python"
    STALE = "pure Python: the compiled modules are not those of the sources"


class SourcesOnly(MetaPathFinder):
    """Finds the sources of some modules, so that nobody finds what was compiled of them.

    Args:
        sources: Full module name to source file.
    """

    def __init__(self, sources: Mapping[str, Path]) -> None:
        self._sources = dict(sources)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        del path, target
        source = self._sources.get(fullname)
        return None if source is None else spec_from_file_location(fullname, source)


def choose(package: str, folder: Path) -> Build:
    """Look at what lies in the folder of a package; once, before its modules are imported."""
    try:
        lines = (folder / LIST_NAME).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return Build.PURE
    digests = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    if not _extension(folder / LIBRARY).exists():
        build = Build.PURE  # compiled for another version of Python
    elif all(_fits(folder / name, digest) for name, digest in digests.items()):
        return Build.NATIVE
    else:
        build = Build.STALE
    sources = {f"{package}.{name[:-3].replace('/', '.')}": folder / name for name in digests}
    sys.meta_path.insert(0, SourcesOnly(sources))
    return build


def _fits(source: Path, digest: str) -> bool:
    try:
        return (
            sha256(source.read_bytes()).hexdigest() == digest
            and _extension(source.with_suffix("")).exists()
        )
    except FileNotFoundError:
        return False


def _extension(module: Path) -> Path:
    """Where the compiled form of a module lies for the Python that runs."""
    return module.parent / (module.name + EXTENSION_SUFFIXES[0])
