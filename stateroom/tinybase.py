"""The built-in TinyBase sync server as an object class, to be mounted or subclassed."""

from app.tinybase.news import Changes, RowChange, ValueChange
from app.tinybase.room import TinyBaseRoom
from app.tinybase.store_access import StoreTransaction

__all__ = ["Changes", "RowChange", "StoreTransaction", "TinyBaseRoom", "ValueChange"]
