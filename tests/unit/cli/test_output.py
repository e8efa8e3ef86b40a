"""What commands print for people, for pipes and for programs."""

from io import StringIO

import pytest

from app.cli.output import NotConfirmed, Output
from app.core.codec import parse_json

COLUMNS = (("NAME", "name"), ("OTHER", "none|b"))
NASTY = {"name": "\x1b[2J\u202etxt", "b": 1, "tags": ["x", "y\n"], "none": None, "on": True}


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def printed(*, as_json: bool = False, terminal: bool = False) -> tuple[Output, StringIO]:
    out = Terminal() if terminal else StringIO()
    return Output(as_json=as_json, out=out, err=StringIO()), out


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_of_others_reaches_the_terminal_as_anything_but_text(
    as_json: bool, terminal: bool
) -> None:
    output, out = printed(as_json=as_json, terminal=terminal)
    output.rows([NASTY], COLUMNS)
    output.record(NASTY)
    output.value(NASTY)
    output.text(NASTY["name"])  # type: ignore[arg-type]  # it is text
    output.done(str(NASTY["name"]), NASTY)
    text = out.getvalue()
    # Rich's own marks are left, which begin bold text and end it.
    for mark in ("\x1b[1m", "\x1b[0m"):
        text = text.replace(mark, "")
    assert "\\u001b" in text
    assert all(each.isprintable() or each in {"\n", "\t"} for each in text)


def test_a_pipe_gets_lines_with_tabs() -> None:
    output, out = printed()
    assert output.rows([NASTY, {"name": None}], COLUMNS) == 2
    assert out.getvalue() == "\\u001b[2J\\u202etxt\t1\n-\t-\n"


def test_json_keeps_its_meaning() -> None:
    output, out = printed(as_json=True, terminal=True)
    output.rows([NASTY, NASTY], COLUMNS)
    assert [parse_json(line) for line in out.getvalue().splitlines()] == [NASTY, NASTY]


def test_people_get_tables_with_heads() -> None:
    output, out = printed(terminal=True)
    output.rows([{"name": "[bold]x", "b": "ü"}], COLUMNS)
    assert "NAME" in out.getvalue()
    assert "[bold]x" in out.getvalue()
    assert "ü" in out.getvalue()


def test_a_long_list_is_printed_in_bounded_pieces() -> None:
    output, out = printed(terminal=True)
    assert output.rows(({"name": str(number)} for number in range(2_500)), COLUMNS) == 2_500
    assert out.getvalue().count("NAME") == 3


def test_where_nobody_can_be_asked_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO())
    output, _ = printed()
    output.confirm("Really?", yes=True)
    with pytest.raises(NotConfirmed, match="give --yes"):
        output.confirm("Really?", yes=False)


def test_people_may_get_fewer_columns_and_no_table_where_nothing_is_to_be_told() -> None:
    output, out = printed(terminal=True)
    output.rows([], COLUMNS, empty_head=False)
    assert out.getvalue() == ""
    output.rows([NASTY], COLUMNS, for_people=COLUMNS[1:])
    assert "OTHER" in out.getvalue()
    assert "NAME" not in out.getvalue()
