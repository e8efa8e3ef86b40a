"""The root of all errors of Stateroom; the whole tree is drawn in `errors`."""

from typing import ClassVar


class StateroomError(Exception):
    """Something went wrong inside Stateroom."""

    code: ClassVar[str] = "internal"
    default_remedy: ClassVar[str] = ""
    retryable: bool = False
    overloaded: bool = False
    reset: bool = False
    remote: bool = False
    """Whether the code of another object, which was called, raised it."""
    object_id: str | None = None
    """That object, by its 64 hex digits."""

    def __init__(self, detail: str | None = None, *, remedy: str | None = None) -> None:
        self.detail = detail if detail is not None else self.default_text()
        self.remedy = remedy if remedy is not None else self.default_remedy
        super().__init__(self.detail)

    @classmethod
    def default_text(cls) -> str:
        """The first line of the class docstring, without its full stop."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")


def is_ours(cls: type[BaseException]) -> bool:
    """Whether a class is one of the tree, and not derived from one by an author."""
    return issubclass(cls, StateroomError) and cls.__module__.rpartition(".")[0] == _PACKAGE


_PACKAGE = StateroomError.__module__.rpartition(".")[0]
