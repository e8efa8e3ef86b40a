"""Hooks that could not be called are found where their class is mounted."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from app.cluster.hook_shapes import misspelt_hooks, problem_of_hooks
from app.cluster.namespaces import make_mount
from app.core.errors import NamespaceClassInvalid
from app.sdk import DurableObject
from app.tinybase.room import TinyBaseRoom


def _with(base: type[DurableObject], name: str, hook: Any) -> type[DurableObject]:
    return type("Made", (base,), {name: hook, "__module__": "shop"})


async def _two(_self: Any, _one: Any) -> None: ...


async def _one(_self: Any) -> None: ...


async def _named(_self: Any, *, _info: Any) -> None: ...


def _three(_self: Any, _ctx: Any, _env: Any) -> None: ...


@pytest.mark.parametrize(
    ("base", "name", "hook", "called"),
    [
        (DurableObject, "__init__", _three, "__init__(self, ctx)"),
        (DurableObject, "__init__", _one, "__init__(self, ctx)"),
        (DurableObject, "on_message", _two, "on_message(self, connection, message)"),
        (DurableObject, "on_alarm", _one, "on_alarm(self, info)"),
        (DurableObject, "on_alarm", _named, "on_alarm(self, info)"),
        (DurableObject, "on_start", _two, "on_start(self)"),
        (TinyBaseRoom, "on_changes", _one, "on_changes(self, changes)"),
        (TinyBaseRoom, "seed", _two, "seed(self)"),
        (TinyBaseRoom, "on_alarm", _one, "on_alarm(self, info)"),
    ],
)
def test_a_hook_that_cannot_be_called_is_told_with_what_it_is_given(
    base: type[DurableObject], name: str, hook: Any, called: str
) -> None:
    assert problem_of_hooks(_with(base, name, hook)) == (
        f"{name} is called as {called}, which it does not take"
    )


def test_a_hook_that_is_inherited_from_a_class_of_the_author_is_looked_at_too() -> None:
    assert problem_of_hooks(type("Own", (_with(DurableObject, "on_alarm", _one),), {})) is not None


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("on_alarm", lambda _self, *_given: None),
        ("on_alarm", lambda _self, _any_name, _more=1: None),
        ("on_alarm", staticmethod(lambda _info: None)),
        ("on_vote", lambda _self, _a, _b, _c: None),
        ("helper", lambda _self, _a, _b, _c: None),
        ("seed", lambda _self, _a, _b, _c: None),
        ("__init__", lambda _self, _ctx, _more=None: None),
    ],
)
def test_what_can_be_called_or_is_no_hook_is_nobody_elses_business(name: str, hook: Any) -> None:
    assert problem_of_hooks(_with(DurableObject, name, hook)) is None


def test_our_own_classes_are_good() -> None:
    assert problem_of_hooks(DurableObject) is None
    assert problem_of_hooks(TinyBaseRoom) is None


def test_such_a_class_is_not_mounted() -> None:
    with pytest.raises(NamespaceClassInvalid, match=r"'shop': Made: on_alarm is called as") as no:
        make_mount("shop", _with(DurableObject, "on_alarm", _one), {})
    assert "parameters" in no.value.remedy


@pytest.mark.parametrize(
    ("base", "name", "meant"),
    [
        (DurableObject, "on_mesage", "on_message"),
        (DurableObject, "on_alarms", "on_alarm"),
        (TinyBaseRoom, "on_change", "on_changes"),
        (TinyBaseRoom, "on_clientid", "on_client_id"),
    ],
)
def test_a_hook_that_is_misspelt_is_told_in_the_log(
    base: type[DurableObject], name: str, meant: str
) -> None:
    made = _with(base, name, _one)
    assert misspelt_hooks(made) == {name: meant}
    with capture_logs() as lines:
        make_mount("shop", made, {})
    assert lines == [
        {"event": "hook_unknown", "log_level": "warning", "namespace": "shop"}
        | {"hook": name, "like": meant}
    ]


@pytest.mark.parametrize("name", ["on_vote", "on_change", "message", "on_alarm"])
def test_a_method_that_is_like_no_hook_or_is_one_is_not_told(name: str) -> None:
    assert misspelt_hooks(_with(DurableObject, name, _two)) == {}
