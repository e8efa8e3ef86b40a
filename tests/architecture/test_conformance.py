"""Every statement of the conformance list has its one test, and the page says what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

from docs import generate_conformance
from tests.architecture.sources import ROOT
from tests.conformance.catalogue import (
    LAST_NUMBER,
    SECTIONS,
    CatalogueError,
    missing,
    statements,
)
from tests.conformance.verdicts import Outcome


def test_every_number_has_exactly_one_test_and_every_test_says_its_statement() -> None:
    assert missing(statements()) == []


def test_the_page_of_conformance_says_what_the_tests_say() -> None:
    page = generate_conformance.PAGE.read_text("utf-8")
    again = "run `make docs`, or `python -m docs.generate_conformance` in the environment"
    assert page == generate_conformance.page(statements()), again


def test_the_sections_hold_every_number_once() -> None:
    numbers = [number for part in SECTIONS for number in range(part.first, part.last + 1)]
    assert numbers == list(range(1, LAST_NUMBER + 1))


def test_a_statement_is_read_with_its_verdict(tmp_path: Path) -> None:
    write(tmp_path, "@differs('because ' 'we can')\nasync def test_007_x() -> None:\n    'One.'\n")
    (statement,) = statements(tmp_path)
    assert (statement.number, statement.text) == (7, "One.")
    assert statement.verdict.outcome is Outcome.DIFFERS
    assert statement.verdict.reason == "because we can"
    assert len(missing([statement])) == LAST_NUMBER - 1


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def test_007_x():\n    pass\n", "docstring"),
        ("def test_7_x():\n    'One.'\n", "three digits"),
        ("def test_267_x():\n    'One.'\n", "001 to 266"),
        ("def test_007_x():\n    'One.'\ndef test_007_y():\n    'Two.'\n", "twice"),
        ("@differs('')\ndef test_007_x():\n    'One.'\n", "reason"),
        ("@not_offered(REASON)\ndef test_007_x():\n    'One.'\n", "reason"),
        ("@differs('a')\n@differs('b')\ndef test_007_x():\n    'One.'\n", "more than one"),
    ],
)
def test_a_test_against_the_rules_is_refused(tmp_path: Path, source: str, complaint: str) -> None:
    write(tmp_path, source)
    with pytest.raises(CatalogueError, match=complaint):
        statements(tmp_path)


RUN = """
import sys
from pathlib import Path
from docs.generate_conformance import run
from tests.conformance.catalogue import statements

folder = Path(sys.argv[1])
print(*run(statements(folder), folder), sep="\\n")
"""


def test_the_page_is_not_written_when_a_test_fails_or_does_not_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        "import pytest\n"
        "@pytest.mark.parametrize('good', [True, False])\n"
        "def test_001_x(good):\n    'One.'\n    assert good\n"
        "@pytest.mark.parametrize('good', [])\n"
        "def test_002_x(good):\n    'Two.'\n"
        "def test_003_x():\n    'Three.'\n",
    )
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[-3:] == [
        "failed: test_001_x",
        "failed: test_002_x",
        "did not run: test_002_x",
    ]


def write(folder: Path, source: str) -> None:
    (folder / "test_it.py").write_text(source, "utf-8")
