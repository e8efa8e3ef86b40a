"""Which classes are mounted, and which rooms belong to them: two small languages.

`STATEROOM_NAMESPACES` is `name=module:Class?option=value&...,name2=...`; `STATEROOM_ROUTES` is
`pattern=namespace,...`. Here they become values; whether the class exists and what an option
means is decided by whoever mounts it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl

TINYBASE_NAMESPACE = "tinybase"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSpec:
    """One mounted class.

    Attributes:
        name: The namespace, as in `/objects/{namespace}/{name}`.
        target: The import string `module:Class`.
        options: The namespace's own settings, as text, percent escapes decoded.
    """

    name: str
    target: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one entry of STATEROOM_NAMESPACES.

        Raises:
            ValueError: It is not of that form.
        """
        name, _, rest = text.partition("=")
        target, question, query = rest.partition("?")
        if not _NAME.fullmatch(name) or not _TARGET.fullmatch(target):
            problem = f"{text!r} is not of the form name=module:Class?option=value"
            raise ValueError(problem)
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(question))
        except ValueError:
            problem = f"{query!r} of {name!r} is not of the form option=value&option=value"
            raise ValueError(problem) from None
        options = dict(pairs)
        if len(options) != len(pairs):
            problem = f"an option of {name!r} stands twice"
            raise ValueError(problem)
        return cls(name=name, target=target, options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """Which namespace the rooms of a path pattern belong to.

    Attributes:
        pattern: Matched against the raw path without its first slash; `*` stays within a
            segment, `**` does not.
        namespace: The namespace's name.
    """

    pattern: str
    namespace: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one entry of STATEROOM_ROUTES.

        Raises:
            ValueError: It is not of that form.
        """
        pattern, _, namespace = text.rpartition("=")
        if not pattern or not _NAME.fullmatch(namespace):
            problem = f"{text!r} is not of the form pattern=namespace"
            raise ValueError(problem)
        return cls(pattern=pattern.removeprefix("/"), namespace=namespace)


EVERYTHING_IS_TINYBASE = (RouteSpec(pattern="**", namespace=TINYBASE_NAMESPACE),)


def split_words(value: object) -> object:
    """Split comma-separated text into words; what is not text is passed on."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def parse_namespaces(value: object) -> object:
    """Read STATEROOM_NAMESPACES; what is not text is passed on.

    Raises:
        ValueError: An entry is not of the form, or a name stands twice.
    """
    specs = _parse_words(value, NamespaceSpec.parse)
    if isinstance(specs, tuple) and len({spec.name for spec in specs}) != len(specs):
        problem = "a namespace stands twice"
        raise ValueError(problem)
    return specs


def parse_routes(value: object) -> object:
    """Read STATEROOM_ROUTES; what is not text is passed on.

    Raises:
        ValueError: An entry is not of the form.
    """
    return _parse_words(value, RouteSpec.parse)


def _parse_words(value: object, parse: Callable[[str], Any]) -> Any:
    words = split_words(value)
    if not isinstance(value, str) or not isinstance(words, tuple):
        return value
    return tuple(parse(word) for word in words)
