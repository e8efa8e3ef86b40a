"""The built-in TinyBase sync server: mount it, or subclass it."""

from app.tinybase.room import TinyBaseRoom

__all__ = ["TinyBaseRoom"]
