"""The built-in TinyBase sync server as an object class, to be mounted or subclassed."""

from app.tinybase.room import TinyBaseRoom

__all__ = ["TinyBaseRoom"]
