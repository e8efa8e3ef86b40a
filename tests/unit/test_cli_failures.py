import pytest

from app.cli.failures import line_of, one_line_failures
from app.core.errors import ObjectFault, PortTaken, StateroomError


def test_the_line_has_the_code_the_text_and_the_remedy_as_sentences() -> None:
    assert line_of(PortTaken("Port 80 is taken", remedy="Choose another")) == (
        "stateroom: error [port_taken]: Port 80 is taken. Remedy: Choose another."
    )


def test_an_error_without_a_remedy_ends_after_its_text() -> None:
    assert line_of(StateroomError()) == (
        "stateroom: error [internal]: Something went wrong inside Stateroom."
    )


def test_texts_of_several_lines_become_one() -> None:
    assert line_of(ObjectFault("a\n  b\n", remedy="")).endswith("a b.")


def test_a_fault_of_ours_names_its_kind_and_how_to_see_more() -> None:
    line = line_of(KeyError("x"))
    assert line.startswith("stateroom: error [internal]: KeyError: 'x'. Remedy: ")
    assert "--debug" in line


def test_a_failure_ends_the_process_with_status_1_after_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended, one_line_failures(debug=False):
        raise PortTaken
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("stateroom: error [port_taken]: ")


def test_with_debug_the_exception_itself_comes_through() -> None:
    with pytest.raises(PortTaken), one_line_failures(debug=True):
        raise PortTaken
