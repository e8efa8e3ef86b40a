"""Mounted classes: import strings become classes, and are checked before anything starts."""

import importlib
from collections.abc import Mapping
from typing import Any

import structlog

from ..core.errors import ConfigurationInvalid, NamespaceClassInvalid, NamespaceUnknown
from ..core.mounts import Durability, Mount
from ..core.quotas import NO_QUOTAS, OPTIONS, Quotas, with_options
from ..sdk.durable_object import DurableObject
from .hook_shapes import misspelt_hooks, problem_of_hooks

_DURABILITY = "durability"
_HISTORY = "history"
_SWITCH = {"on": True, "off": False}

_log = structlog.get_logger("stateroom.mounts")


def make_mount(
    namespace: str,
    target: str | type[Any],
    options: Mapping[str, str],
    *,
    quotas: Quotas = NO_QUOTAS,
) -> Mount:
    """Mount a class, given itself or as `module:Class`, with its options.

    What its options say of quotas goes before `quotas`.

    Raises:
        NamespaceClassInvalid: It cannot be imported, is no DurableObject, or has a hook that
            cannot be called.
        ConfigurationInvalid: An option has an impossible value.
    """
    cls = _import_class(namespace, target) if isinstance(target, str) else target
    if not (isinstance(cls, type) and issubclass(cls, DurableObject)):
        raise NamespaceClassInvalid(
            f"namespace {namespace!r}: {target!r} is not a subclass of stateroom.DurableObject"
        )
    seconds = cls.event_timeout_seconds
    if seconds is not None and not seconds > 0:
        raise NamespaceClassInvalid(
            f"namespace {namespace!r}: event_timeout_seconds is {seconds}, it must be more than 0",
            remedy="Correct the class.",
        )
    problem = problem_of_hooks(cls)
    if problem is not None:
        raise NamespaceClassInvalid(
            f"namespace {namespace!r}: {cls.__name__}: {problem}",
            remedy="Give it those parameters; docs/guides/write-an-object.md lists the hooks.",
        )
    _warn_of_hooks(namespace, cls)
    rest = dict(options)
    name = rest.pop(_DURABILITY, Durability.COMMIT.value)
    try:
        durability = Durability(name)
    except ValueError:
        choices = ", ".join(choice.value for choice in Durability)
        raise ConfigurationInvalid(
            f"namespace {namespace!r}: durability {name!r} is not one of {choices}"
        ) from None
    history = _switched(namespace, rest.pop(_HISTORY, "on"))
    own_quotas = _quotas(namespace, quotas, rest)
    problem = cls.check_settings(rest)
    if problem is not None:
        raise ConfigurationInvalid(f"namespace {namespace!r}: {problem}")
    return Mount(
        namespace=namespace,
        cls=cls,
        durability=durability,
        quotas=own_quotas,
        history=history,
        settings=rest,
    )


def _warn_of_hooks(namespace: str, cls: type[Any]) -> None:
    for hook, meant in misspelt_hooks(cls).items():
        _log.warning("hook_unknown", namespace=namespace, hook=hook, like=meant)


def _quotas(namespace: str, quotas: Quotas, options: dict[str, str]) -> Quotas:
    """Take what is said of quotas out of the options."""
    try:
        own = with_options(quotas, options)
    except ValueError as error:
        raise ConfigurationInvalid(f"namespace {namespace!r}: {error}") from None
    for option in OPTIONS:
        options.pop(option, None)
    return own


def _switched(namespace: str, history: str) -> bool:
    if history not in _SWITCH:
        raise ConfigurationInvalid(
            f"namespace {namespace!r}: history {history!r} is neither on nor off"
        )
    return _SWITCH[history]


class Namespaces:
    """All mounts by name."""

    def __init__(self, mounts: Mapping[str, Mount]) -> None:
        self._mounts = dict(mounts)

    def __contains__(self, namespace: object) -> bool:
        return namespace in self._mounts

    def __iter__(self) -> Any:
        return iter(self._mounts.values())

    def mount(self, namespace: str) -> Mount:
        """Return a mount.

        Raises:
            NamespaceUnknown: There is no such namespace.
        """
        found = self._mounts.get(namespace)
        if found is None:
            raise NamespaceUnknown(f"no namespace is called {namespace!r}")
        return found


def _import_class(namespace: str, target: str) -> Any:
    module_name, _, class_name = target.partition(":")
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise NamespaceClassInvalid(
            f"namespace {namespace!r}: {module_name!r} cannot be imported: {error}"
        ) from error
    except AttributeError:
        raise NamespaceClassInvalid(
            f"namespace {namespace!r}: module {module_name!r} has no class {class_name!r}"
        ) from None
    except Exception as error:
        raise NamespaceClassInvalid(
            f"namespace {namespace!r}: importing {module_name!r} raised "
            f"{type(error).__name__}: {error}"
        ) from error
