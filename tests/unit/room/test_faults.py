"""What others are told of an author's exception."""

import pytest

from app.core.errors import ObjectFault, RoomAborted
from app.core.limits import FAULT_BYTES, FAULT_TEXT_CHARACTERS
from app.room.faults import as_fault


class Refused(Exception):
    """An author's."""


def fault_with(**attributes: object) -> ObjectFault:
    error = Refused("no")
    vars(error).update(attributes)
    fault = as_fault(error)
    assert isinstance(fault, ObjectFault)
    return fault


def test_attributes_are_copies_of_what_is_public_and_can_travel() -> None:
    inner = [1]
    fault = fault_with(a=inner, _b=2, c=object(), d={"x": (1, {2})}, retryable=True, remote=True)
    assert fault.attributes == {"a": [1], "d": {"x": (1, {2})}}
    assert fault.attributes["a"] is not inner
    assert (fault.retryable, fault.remote) == (True, False)


def test_what_is_too_large_stays_behind_and_the_rest_is_told() -> None:
    fault = fault_with(large=bytes(FAULT_BYTES), small=1, rest=bytes(FAULT_BYTES - 100))
    assert set(fault.attributes) == {"small", "rest"}


def test_an_attribute_that_holds_itself_stays_behind() -> None:
    ring: list[object] = []
    ring.append(ring)
    assert fault_with(ring=ring, a=1).attributes == {"a": 1}


def test_a_text_is_bounded_and_can_be_written() -> None:
    assert len(as_fault(Refused("x" * (FAULT_TEXT_CHARACTERS + 1))).detail) < 66_000
    assert as_fault(Refused("\ud800")).detail == "Refused: ?"


def test_an_exception_that_cannot_even_say_its_text_is_told() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "Mute" in as_fault(Mute()).detail


def test_an_error_of_ours_is_told_as_it_is_and_one_derived_by_an_author_as_his() -> None:
    class Mine(RoomAborted):
        """An author's."""

    ours = RoomAborted("lost")
    assert as_fault(ours) is ours
    fault = as_fault(Mine("gone"))
    assert type(fault) is ObjectFault
    assert (fault.class_name, fault.message, fault.attributes) == ("Mine", "gone", {})
    assert fault.retryable


@pytest.mark.parametrize("name", ["detail", "remedy", "object_id"])
def test_what_the_error_says_anyway_is_not_said_twice(name: str) -> None:
    assert fault_with(**{name: "x"}).attributes == {}
