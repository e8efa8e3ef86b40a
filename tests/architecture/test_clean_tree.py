"""What must not stand anywhere in the project."""

import re
from pathlib import Path

from tests.architecture.sources import ROOT, name_of, python_files, tracked

SELF = Path(__file__)
# Built from pieces, so that this file does not find itself.
UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b"
)
SKIPS = re.compile(r"(mark\.(skip|skipif|xfail)|pytest\.(skip|xfail|importorskip)|unittest\.skip)")
MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:root|work|home/\w+|Users/\w+)/")
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".ini", ".cfg", ".mjs", ".js", ".json", ""}


def texts() -> list[tuple[Path, str]]:
    return [
        (path, path.read_text("utf-8"))
        for path in tracked()
        if path.suffix in TEXT and path != SELF and path.name != "LICENSE"
    ]


def found(pattern: re.Pattern[str], files: list[tuple[Path, str]]) -> list[str]:
    return [
        f"{name_of(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in files
        for match in pattern.finditer(text)
    ]


def test_nothing_is_marked_as_unfinished() -> None:
    unwanted = found(UNFINISHED, [t for t in texts() if t[0].name != "package-lock.json"])
    assert not unwanted, "\n".join(unwanted)


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    tests = [(path, path.read_text("utf-8")) for path in python_files("tests") if path != SELF]
    unwanted = found(SKIPS, tests)
    assert not unwanted, "\n".join(unwanted)


def test_no_path_of_a_developers_machine_stands_in_the_tree() -> None:
    unwanted = found(MACHINE_PATHS, texts())
    assert not unwanted, "\n".join(unwanted)


def test_constraints_pin_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!-]+", line)] == []
    assert len({line.partition("==")[0].lower() for line in lines}) == len(lines)
