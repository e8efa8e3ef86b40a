"""One tree of errors, with stable codes."""

import inspect
import re

import pytest

import app.core.errors
from app.core.errors import (
    EventTimedOut,
    IdInvalid,
    ObjectFault,
    Overloaded,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
)

_ALL: list[type[StateroomError]] = [
    cls
    for _, cls in inspect.getmembers(app.core.errors, inspect.isclass)
    if issubclass(cls, StateroomError)
]


def test_every_code_is_one_classes_own() -> None:
    codes = [cls.code for cls in _ALL]
    assert sorted(set(codes)) == sorted(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_every_class_stands_in_the_tree_of_the_module() -> None:
    tree = app.core.errors.__doc__ or ""
    missing = [cls.__name__ for cls in _ALL if not re.search(rf"\b{cls.__name__}\b", tree)]
    assert missing == []


@pytest.mark.parametrize("cls", _ALL, ids=[cls.__name__ for cls in _ALL])
def test_an_error_says_something_by_itself(cls: type[StateroomError]) -> None:
    error = cls()
    assert str(error) == error.detail == cls.default_text() != ""
    assert not error.detail.endswith(".")
    assert error.remedy == cls.default_remedy


def test_an_error_may_say_more() -> None:
    error = Overloaded("4 events wait", remedy="Send less.")
    assert (str(error), error.remedy) == ("4 events wait", "Send less.")


def test_231_the_flags_tell_what_to_do_next() -> None:
    assert StoreUnavailable.retryable
    assert Overloaded.overloaded
    assert not Overloaded.retryable
    for cls in _ALL:
        assert not (cls.reset and not cls.retryable), "what was reset may be tried again"


def test_errors_are_what_pythons_own_would_be() -> None:
    assert issubclass(IdInvalid, ValueError)
    assert issubclass(StorageRefused, ValueError)
    assert issubclass(EventTimedOut, ObjectFault)
