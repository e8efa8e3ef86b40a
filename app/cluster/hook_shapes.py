"""Whether the hooks of an author's class can be called as the service calls them.

A hook with a parameter too few or too many would be found at its first event, which is an alarm at
night for some, and a constructor that asks for more than `ctx` at the first event of all. Both are
found where the class is mounted, and so is a hook whose name is misspelt, which would never be
called. What is asked for is what the hook has where it is defined: in
`DurableObject`, or in a class of ours that is derived from it.
"""

import inspect
from difflib import get_close_matches
from types import FunctionType
from typing import Any, Final

from ..sdk.durable_object import DurableObject

_HOOK_PREFIX: Final = "on_"
_CONSTRUCTOR: Final = "__init__"
_ALIKE: Final = 0.85
_OURS: Final = DurableObject.__module__.removesuffix("sdk.durable_object")


def problem_of_hooks(cls: type[DurableObject]) -> str | None:
    """Say which hook, or the constructor, cannot be called, and with what it would be."""
    seen: set[str] = set()
    for base in cls.__mro__:
        if not base.__module__.startswith(_OURS):
            continue
        for name, ours in vars(base).items():
            if name in seen or not _is_hook(cls, name) or not isinstance(ours, FunctionType):
                continue
            seen.add(name)
            theirs = inspect.getattr_static(cls, name)
            if theirs is not ours and not _takes(theirs, ours):
                given = ", ".join(inspect.signature(ours).parameters)
                return f"{name} is called as {name}({given}), which it does not take"
    return None


def misspelt_hooks(cls: type[DurableObject]) -> dict[str, str]:
    """The methods of an author that nobody calls, and what they may have been meant to be.

    A class may have hooks of its own for those derived from it, so this is no more than a guess.
    """
    hooks = [
        name
        for base in cls.__mro__
        if base.__module__.startswith(_OURS)
        for name in vars(base)
        if name.startswith(_HOOK_PREFIX)
    ]
    theirs = (
        name
        for base in cls.__mro__
        if not base.__module__.startswith(_OURS)
        for name, value in vars(base).items()
        if name.startswith(_HOOK_PREFIX) and name not in hooks and isinstance(value, FunctionType)
    )
    close = {name: get_close_matches(name, hooks, n=1, cutoff=_ALIKE) for name in theirs}
    return {name: found[0] for name, found in close.items() if found}


def _is_hook(cls: type[DurableObject], name: str) -> bool:
    return name.startswith(_HOOK_PREFIX) or name == _CONSTRUCTOR or name in cls.hook_names


def _takes(theirs: Any, ours: FunctionType) -> bool:
    """Whether a function takes as many arguments, by position, as ours has parameters."""
    if not isinstance(theirs, FunctionType):
        return True  # whatever it is, it is for its own code to say what it takes
    try:
        inspect.signature(theirs).bind(*inspect.signature(ours).parameters)
    except TypeError:
        return False
    return True
