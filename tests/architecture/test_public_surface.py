"""What authors import is documented, and the public package hands on all of it."""

import inspect
import re
import subprocess
import sys
import tomllib

import app
import app.core.errors
import app.sdk
import stateroom
from tests.architecture.sources import ROOT


def test_the_public_package_hands_on_exactly_the_sdk() -> None:
    assert sorted(stateroom.__all__) == sorted(app.sdk.__all__)
    for name in stateroom.__all__:
        assert getattr(stateroom, name) is getattr(app.sdk, name)


def test_every_error_that_a_guide_names_can_be_imported() -> None:
    errors = {
        name
        for name, value in vars(app.core.errors).items()
        if inspect.isclass(value) and issubclass(value, app.core.errors.StateroomError)
    }
    guides = sorted((ROOT / "docs/guides").glob("*.md"))
    named = {name for page in guides for name in re.findall(r"\w+", page.read_text("utf-8"))}
    assert guides
    assert sorted((errors & named) - set(stateroom.__all__)) == []


def test_importing_the_public_package_imports_neither_a_server_nor_a_database_driver() -> None:
    look = "import sys, stateroom; print({'starlette', 'uvicorn', 'asyncpg'} & set(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert out == "set()\n"


def test_every_public_symbol_of_the_sdk_has_a_docstring() -> None:
    silent = [name for name in app.sdk.__all__ if not inspect.getdoc(vars(app.sdk)[name])]
    assert not silent, "\n".join(silent)


def test_every_public_method_of_the_sdk_has_a_docstring() -> None:
    silent = [
        f"{name}.{member}"
        for name in app.sdk.__all__
        if inspect.isclass(value := vars(app.sdk)[name]) and value.__module__.startswith("app.")
        for member, body in vars(value).items()
        if not member.startswith("_")
        and (inspect.isfunction(body) or isinstance(body, property | classmethod))
        and not inspect.getdoc(getattr(value, member) if not isinstance(body, property) else body)
    ]
    assert not silent, "\n".join(silent)


def test_the_version_stands_once_in_the_code_and_agrees_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == app.__version__
