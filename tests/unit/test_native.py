import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from app.native import LIBRARY, LIST_NAME, Build, choose

PACKAGE = "compiled_for_a_test"
SOURCE = "CAME_FROM = 'the source'\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with modules `one` and `inner.two`, whose compiled forms nobody could load."""
    folder = tmp_path / PACKAGE
    (folder / "inner").mkdir(parents=True)
    lines = []
    for name in ("one", "inner/two"):
        (folder / f"{name}.py").write_text(SOURCE)
        (folder / f"{name}{EXTENSION_SUFFIXES[0]}").write_bytes(b"")
        lines.append(f"{sha256(SOURCE.encode()).hexdigest()}  {name}.py\n")
    (folder / f"{LIBRARY}{EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    (folder / LIST_NAME).write_text("".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield folder
    for name in [each for each in sys.modules if each.startswith(PACKAGE)]:
        del sys.modules[name]


def test_compiled_modules_are_used_when_they_fit_their_sources(package: Path) -> None:
    finders = [*sys.meta_path]
    assert choose(PACKAGE, package) is Build.NATIVE
    assert sys.meta_path == finders
    with pytest.raises(ImportError):
        import_module(f"{PACKAGE}.one")


def test_nothing_is_done_where_nothing_was_compiled(package: Path) -> None:
    (package / LIST_NAME).unlink()
    finders = [*sys.meta_path]
    assert choose(PACKAGE, package) is Build.PURE
    assert sys.meta_path == finders


@pytest.mark.parametrize("name", ["one", "inner/two"])
def test_one_source_that_was_edited_puts_all_that_is_compiled_aside(
    package: Path, name: str
) -> None:
    source = package / f"{name}.py"
    source.write_text(SOURCE + "EDITED = True\n")
    assert choose(PACKAGE, package) is Build.STALE
    for module in ("one", "inner.two"):
        assert import_module(f"{PACKAGE}.{module}").CAME_FROM == "the source"
    assert import_module(f"{PACKAGE}.{name.replace('/', '.')}").EDITED


@pytest.mark.parametrize("suffix", [".py", EXTENSION_SUFFIXES[0]])
def test_one_file_that_is_missing_puts_all_that_is_compiled_aside(
    package: Path, suffix: str
) -> None:
    (package / f"one{suffix}").unlink()
    assert choose(PACKAGE, package) is Build.STALE
    assert import_module(f"{PACKAGE}.inner.two").CAME_FROM == "the source"


def test_what_was_compiled_for_another_python_is_as_good_as_nothing(package: Path) -> None:
    for path in package.rglob(f"*{EXTENSION_SUFFIXES[0]}"):
        path.rename(path.with_name(path.name.replace(EXTENSION_SUFFIXES[0], ".cpython-99.so")))
    assert choose(PACKAGE, package) is Build.PURE
    assert import_module(f"{PACKAGE}.one").CAME_FROM == "the source"
