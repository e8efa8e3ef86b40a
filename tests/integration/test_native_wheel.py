"""What wheel is built, by what there is to compile with and by what is wished."""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.sources import ROOT
from tests.integration.command_line import environment

PARTS = ("app", "stateroom", "migrations", "pyproject.toml", "hatch_build.py", "build_native.py")
NO_COMPILER: dict[str, Any] = {"CC": "/bin/false"}
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with one module to compile: all of them take half a minute."""
    left_out = shutil.ignore_patterns("*.so", "__pycache__", "*.sha256")
    for name in (*PARTS, "README.md", "LICENSE", "CHANGELOG.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=left_out)
        else:
            shutil.copy2(source, tmp_path / name)
    recipe = tmp_path / "build_native.py"
    text = recipe.read_text("utf-8")
    one = re.sub(
        r"^MODULES = \(.*?^\)",
        'MODULES = ("tinybase/refusals",)',
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    assert one != text
    recipe.write_text(one, "utf-8")
    return tmp_path


def build(
    project: Path, *, isolated: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    here = () if isolated else ("--no-index", "--no-build-isolation")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--verbose", "--no-deps", *here),
            *("--wheel-dir", str(project / "dist"), str(project)),
        ],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def wheel_of(
    project: Path, *, isolated: bool = False, **variables: str
) -> tuple[str, set[str], str]:
    """Build; return the tag, the files that no pure wheel has, and what was told about it."""
    ended = build(project, isolated=isolated, **variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (wheel,) = (project / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    told = [
        line
        for line in (ended.stdout + ended.stderr).splitlines()
        if "nothing was compiled" in line
    ]
    tag = wheel.stem.split("-", 2)[2]
    return tag, {name for name in names if name.endswith((".so", ".sha256"))}, "\n".join(told)


@pytest.mark.timeout(300)
def test_with_a_compiler_the_wheel_is_for_this_python_and_holds_what_was_compiled(
    project: Path,
) -> None:
    tag, files, told = wheel_of(project, STATEROOM_BUILD="native")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert tag.startswith(f"{version}-{version}-linux_")
    assert told == ""
    assert files == {
        "stateroom/app/native.sha256",
        f"stateroom/app/compiled__mypyc{SUFFIX}",
        f"stateroom/app/tinybase/refusals{SUFFIX}",
    }


def test_without_a_compiler_the_wheel_is_pure_and_one_line_says_so(project: Path) -> None:
    tag, files, told = wheel_of(project, **NO_COMPILER)
    assert (tag, files) == ("py3-none-any", set())
    assert len(told.splitlines()) == 1


@pytest.mark.timeout(300)
def test_a_build_of_its_own_fetches_what_it_needs_and_falls_back_the_same_way(
    project: Path,
) -> None:
    tag, files, told = wheel_of(project, isolated=True, CC="no-such-compiler")
    assert (tag, files) == ("py3-none-any", set())
    assert "no C compiler (no-such-compiler)" in told
    assert len(told.splitlines()) == 1


def test_whoever_wishes_a_pure_wheel_gets_one_and_nothing_is_said(project: Path) -> None:
    assert wheel_of(project, STATEROOM_BUILD="pure") == ("py3-none-any", set(), "")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"STATEROOM_BUILD": "native", **NO_COMPILER}, "NotCompiled"),
        ({"STATEROOM_BUILD": "fast"}, "it is one of auto, native, pure"),
    ],
)
def test_what_cannot_be_done_as_wished_fails(
    project: Path, variables: dict[str, Any], words: str
) -> None:
    ended = build(project, **variables)
    assert ended.returncode != 0
    assert words in ended.stdout + ended.stderr
