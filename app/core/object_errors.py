"""Errors that tell how an object as a whole stands; the whole tree is drawn in `errors`."""

from .error_root import StateroomError


class ObjectUnknown(StateroomError):
    """There is no such object: nobody holds it and nothing is stored of it."""

    code = "object_unknown"
    default_remedy = "Look for it in the list of objects; an object is made by its first event."


class ObjectFrozen(StateroomError):
    """The object is frozen: it can be read, and nothing of it can be changed."""

    code = "object_frozen"
    default_remedy = "Thaw it first (POST .../thaw in the admin API)."


class ObjectDeleted(StateroomError):
    """The object is deleted, and its name not free yet."""

    code = "object_deleted"
    default_remedy = "Undelete it before its grace time is over, or wait until it is purged."
