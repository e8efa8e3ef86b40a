"""Errors about earlier states of an object; the whole tree is drawn in `errors`."""

from .error_root import StateroomError


class BookmarkUnknown(StateroomError):
    """No state of this object has that bookmark."""

    code = "bookmark_unknown"
    default_remedy = "Take a bookmark from the object's own history."


class BookmarkExpired(StateroomError):
    """What the object was then is kept no longer."""

    code = "bookmark_expired"
    default_remedy = (
        "Take a later bookmark; STATEROOM_HISTORY_SECONDS and STATEROOM_HISTORY_BYTES say how "
        "much is kept, and a namespace with history=off keeps nothing."
    )
