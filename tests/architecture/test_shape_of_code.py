"""The shape that design/style asks for: short files, functions and classes, told in docstrings."""

import ast
import sys

from tests.architecture.sources import name_of, python_files, tree_of

FILE_LINES = 400
FUNCTION_LINES = 40
CLASS_LINES = 250
SHIPPED = ("app", "stateroom", "migrations")
VAGUE_NAMES = ("util", "utils", "helper", "helpers", "common", "misc", "manager")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(node: Function | ast.ClassDef) -> int:
    """Count the lines after the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return 0 if not body else (node.end_lineno or 0) - body[0].lineno + 1


def test_no_file_is_longer_than_400_lines() -> None:
    long = [
        f"{name_of(path)}: {count}"
        for path in python_files(*SHIPPED, "tests", "bench", "examples", "docs")
        if (count := len(path.read_text("utf-8").splitlines())) > FILE_LINES
    ]
    assert not long, "\n".join(long)


def test_no_shipped_function_is_longer_than_40_lines_after_its_docstring() -> None:
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}: {count}"
        for path in python_files(*SHIPPED)
        for node in ast.walk(tree_of(path))
        if isinstance(node, Function) and (count := body_lines(node)) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_no_shipped_class_is_longer_than_250_lines() -> None:
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}: {count}"
        for path in python_files(*SHIPPED)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and (count := body_lines(node)) > CLASS_LINES
    ]
    assert not long, "\n".join(long)


def test_no_file_has_a_name_that_says_nothing() -> None:
    vague = [
        name_of(path)
        for path in python_files(*SHIPPED, "tests", "bench", "examples")
        if set(path.stem.split("_")) & set(VAGUE_NAMES)
    ]
    assert not vague, "\n".join(vague)


def test_every_shipped_module_opens_with_its_concept() -> None:
    silent = [
        name_of(path) for path in python_files(*SHIPPED) if not ast.get_docstring(tree_of(path))
    ]
    assert not silent, "\n".join(silent)


def test_imports_inside_app_are_relative() -> None:
    absolute = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("app")
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.ImportFrom) and node.level == 0 and is_app(node.module or ""))
        or (isinstance(node, ast.Import) and any(is_app(alias.name) for alias in node.names))
    ]
    assert not absolute, "\n".join(absolute)


def test_the_public_package_imports_app_only_in_the_form_that_the_wheel_rewrites() -> None:
    plain = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("stateroom")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import) and any(is_app(alias.name) for alias in node.names)
    ]
    assert not plain, "\n".join(plain)


def test_migrations_import_only_sqlalchemy_alembic_and_the_standard_library() -> None:
    allowed = {"sqlalchemy", "alembic", *sys.stdlib_module_names}
    others = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("migrations")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import | ast.ImportFrom) and not imported(node) <= allowed
    ]
    assert not others, "\n".join(others)


def is_app(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == "app"


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return {alias.name.split(".")[0] for alias in node.names}
