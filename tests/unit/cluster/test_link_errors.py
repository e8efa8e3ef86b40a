"""Errors as they travel over a link."""

import uuid

import pytest

from app.cluster.link_errors import error_from, error_meta
from app.core.errors import (
    ObjectFault,
    Overloaded,
    OwnedElsewhere,
    RoomAborted,
    StateroomError,
    WorkerLeaving,
)


@pytest.mark.parametrize(
    "error",
    [WorkerLeaving(), Overloaded("7 events wait"), ObjectFault("ValueError: no", remedy="look")],
)
def test_class_text_and_remedy_arrive(error: StateroomError) -> None:
    told = error_from(error_meta(error))
    assert type(told) is type(error)
    assert (told.detail, told.remedy) == (error.detail, error.remedy)


def test_who_holds_an_object_arrives() -> None:
    holder = uuid.uuid4()
    told = error_from(error_meta(OwnedElsewhere(worker_id=holder, address="10.0.0.1:7")))
    assert isinstance(told, OwnedElsewhere)
    assert (told.worker_id, told.address) == (holder, "10.0.0.1:7")


def test_a_holder_that_is_not_known_stays_unknown() -> None:
    told = error_from(error_meta(OwnedElsewhere("the object's row stayed locked")))
    assert isinstance(told, OwnedElsewhere)
    assert (told.worker_id, told.address) == (None, "")
    odd = error_from({"code": OwnedElsewhere.code, "holder": "nobody"})
    assert isinstance(odd, OwnedElsewhere)
    assert odd.worker_id is None


def test_an_unknown_error_may_be_tried_again() -> None:
    assert isinstance(error_from({"code": "of_a_later_version"}), RoomAborted)
    assert isinstance(error_from({}), RoomAborted)
