"""The built-in TinyBase sync server as an object class, to be mounted or subclassed."""

from app.tinybase.news import Changes, RowChange, ValueChange
from app.tinybase.room import TinyBaseRoom
from app.tinybase.store_access import StoreTransaction
from app.tinybase.verdicts import Allow, Amend, ProposedChange, Refuse, RefusedChange, Verdict

__all__ = [
    "Allow",
    "Amend",
    "Changes",
    "ProposedChange",
    "Refuse",
    "RefusedChange",
    "RowChange",
    "StoreTransaction",
    "TinyBaseRoom",
    "ValueChange",
    "Verdict",
]
