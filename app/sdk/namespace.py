"""Other objects, as an object (or whoever embeds the service) calls them.

    counter = self.ctx.namespace("counter").get_by_name("visits")
    total = await counter.increment(1)
    response = await counter.fetch(Request(path="/report"))

A stub is cheap, asks nobody and starts nothing; the object starts with the first call that
reaches it, on whichever worker holds it.

With the class, a stub has the class's type, so that a type checker knows its methods, what they
take and what comes back:

    counter = self.ctx.namespace("counter", Counter).get_by_name("visits")
    total = await counter.increment(1)  # an int; `incremnt` and `increment("1")` are errors

It is the same stub when it runs. What stubs have besides the methods, `as_stub` shows the type
checker.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, cast

from ..core.errors import IdInvalid
from ..core.ids import ObjectId, ObjectIds
from .messages import Request, Response

ObjectT = TypeVar("ObjectT")


class StubRoute(Protocol):
    """How the calls of one stub travel; the engine's part of it."""

    def call(
        self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """Make a call of a method; what it returns may be awaited, once or never."""
        ...

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Make a call of `on_request`."""
        ...


class Stub:
    """One object, from outside. `await stub.method(...)` runs that method there.

    Every public coroutine method of the object's class that is no hook can be called so, but for
    those named `id`, `name` and `fetch`. Arguments and results are copies of the types that
    storage takes. A method's own exception arrives as `ObjectFault`, with its class name and
    text.

    Calls made on one stub reach the object in the order in which they were made, awaited or not.
    A call that is made in an event is part of it as a send is: it leaves when everything written
    before it is committed, and not at all when the event raises first. Awaiting it is a commit
    point. No call is made twice by itself: after `CallTimedOut`, `LinkBroken` and whatever is
    `retryable`, whether the object did what was asked may be unknown.

    Attributes of it that begin with an underscore belong to the engine.

    A stub stands for the object, wherever it is and however often it is started again: after a
    failed call the next one is made as if nothing had been.
    """

    __slots__ = ("_id", "_route")

    def __init__(self, object_id: ObjectId, route: StubRoute) -> None:
        self._id = object_id
        self._route = route

    @property
    def id(self) -> ObjectId:
        """Which object."""
        return self._id

    @property
    def name(self) -> str | None:
        """The name it was made from; None for ids that were given as text or are unique."""
        return self._id.name

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Run the object's `on_request`; awaited, it gives the answer.

        Raises:
            CallRefused: The request is too large; nothing was sent.
            CallDeadlock: The object waits for the caller (raised when awaited, as all below).
            CallTimedOut: It did not answer in time; whether it will still run is not known.
            LinkBroken: The worker that holds it is gone; whether it ran is not known.
            StateroomError: It could not be reached, or raised.
        """
        return self._route.fetch(request)

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        """A method of the object. Calling it raises what `fetch` raises, and MethodUnknown."""
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._invoke, method)

    def __repr__(self) -> str:
        return f"<stub of {self._id.namespace}/{self._id.name or self._id}>"

    def _invoke(self, method: str, /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._route.call(method, args, kwargs)


def as_stub(typed: object) -> Stub:
    """Return a stub that has the type of its class, as the stub that it is.

    Raises:
        TypeError: It is no stub.
    """
    if not isinstance(typed, Stub):
        raise TypeError(f"a stub is asked for, not {type(typed).__name__}")
    return typed


class TypedNamespace(Generic[ObjectT]):
    """All objects of one mounted class, whose stubs have the type `ObjectT`.

    Made by `Context.namespace`.

    Args:
        name: As mounted.
        ids: Makes the ids of this cluster.
        route_to: Makes the way for the calls of one stub, within so many seconds for each; None
            stands for the platform's deadline.
    """

    def __init__(
        self, name: str, ids: ObjectIds, route_to: Callable[[ObjectId, float | None], StubRoute]
    ) -> None:
        self._name = name
        self._ids = ids
        self._route_to = route_to

    @property
    def name(self) -> str:
        """As mounted."""
        return self._name

    def id_from_name(self, name: str) -> ObjectId:
        """The id of the object called `name`: the same one every time, anywhere.

        Raises:
            IdInvalid: It cannot be a name.
        """
        return self._ids.from_name(self._name, name)

    def new_unique_id(self) -> ObjectId:
        """A new id that no name leads to. Keep `str(id)` to find the object again."""
        return self._ids.unique(self._name)

    def id_from_string(self, text: str) -> ObjectId:
        """The id that printed as `text`.

        Raises:
            IdInvalid: It is not 64 hex digits, or of another namespace or cluster.
        """
        return self._ids.from_string(self._name, text)

    def get(
        self,
        object_id: ObjectId,
        *,
        deadline_seconds: float | None = None,
        location_hint: str | None = None,
    ) -> ObjectT:
        """A stub of an object; nothing is asked or started.

        Args:
            object_id: An id of this namespace.
            deadline_seconds: How long each of its calls may take; None is 10 seconds. Never more
                than half of what an event may take.
            location_hint: Where the caller would like the object to live. It is taken from
                code that was written for several places, and changes nothing: an object lives
                with the worker that its first event reaches.

        Raises:
            IdInvalid: The id belongs to another namespace.
        """
        del location_hint
        if object_id.namespace != self._name:
            raise IdInvalid(f"an id of {object_id.namespace!r} is none of {self._name!r}")
        return cast("ObjectT", Stub(object_id, self._route_to(object_id, deadline_seconds)))

    def get_by_name(
        self,
        name: str,
        *,
        deadline_seconds: float | None = None,
        location_hint: str | None = None,
    ) -> ObjectT:
        """The same as `get(id_from_name(name))`."""
        return self.get(
            self.id_from_name(name),
            deadline_seconds=deadline_seconds,
            location_hint=location_hint,
        )


class Namespace(TypedNamespace[Stub]):
    """The same without a class: a stub takes any method, and the type checker believes it."""


def check_class(namespace: str, mounted: type[Any], expected: type[Any] | None) -> None:
    """Make sure that stubs of that namespace may have the type of a class.

    Raises:
        TypeError: Another class is mounted.
    """
    if expected is not None and not issubclass(mounted, expected):
        raise TypeError(
            f"namespace {namespace!r} holds objects of {mounted.__name__}, not {expected.__name__}"
        )
